-- Polls of the one URL that wrk was given, each on a connection of its own; prints what came of it as a line of
-- JSON (times in µs).

wrk.headers["Connection"] = "close"

function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format('{"requests": %d, "duration": %d, "p50": %d, "p99": %d, "failed": %d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), failed))
end
