-- Requests from a file, one a line (method, target, name of a file with a JSON body or nothing), over and over;
-- prints what came of it as a line of JSON (times in µs).

local requests, at = {}, 0

function init(arguments)
  for line in io.lines(arguments[2]) do
    local method, target, name = line:match("^(%S+) (%S+) ?(%S*)$")
    local headers, body = {}, nil
    if name ~= "" then
      local file = io.open(name, "rb")
      body = file:read("*a")
      file:close()
      headers["Content-Type"] = "application/json"
    end
    requests[#requests + 1] = wrk.format(method, target, headers, body)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format('{"requests": %d, "duration": %d, "p50": %d, "p99": %d, "failed": %d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), failed))
end
