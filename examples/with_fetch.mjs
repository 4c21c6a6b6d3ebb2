// Wait for a certificate with Node's own fetch: node with_fetch.mjs URL REQUEST_ID
//
// Exits with 0 when it is issued, 1 when it failed, 2 for an error, 3 when it takes too long.
import { setTimeout as sleep } from "node:timers/promises";

const PATH = "/api/v1/cert-manager/certificates/certificate-requests/";
const { INTERVAL = "2", ATTEMPTS = "30", TOKEN = "token" } = process.env;

/** The exit code, and what to say. */
async function wait(url, requestId) {
  for (let attempt = 0; attempt < Number(ATTEMPTS); attempt++) {
    if (attempt) await sleep(Number(INTERVAL) * 1000);
    const answer = await fetch(url + PATH + requestId, { headers: { Authorization: `Bearer ${TOKEN}` } });
    const said = await answer.json();
    if (answer.status === 429 || answer.status >= 500) continue;
    if (!answer.ok) return [2, `error ${answer.status}: ${said.message}`];
    // A certificate that was deleted later leaves "issued" without one.
    if (said.status === "issued" && said.certificate) return [0, `issued ${said.serialNumber}`];
    if (said.status === "failed") return [1, `failed: ${said.errorMessage}`];
  }
  return [3, `no certificate after ${ATTEMPTS} polls`];
}

const [code, text] = await wait(process.argv[2], process.argv[3]);
console.log(text);
process.exitCode = code;
