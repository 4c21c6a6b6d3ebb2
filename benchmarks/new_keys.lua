-- A new UUID under the URL for each request; prints what came of it as a line of JSON (times in µs).

local random, format = math.random, string.format
local prefix

function init(arguments)
  math.randomseed(tonumber(arguments[1]))  -- so that no two loads share a key
  prefix = wrk.path .. "/"
end

function request()
  local path = prefix .. format("%08x-%04x-4%03x-8%03x-%06x%06x", random(0, 2147483647), random(0, 65535),
    random(0, 4095), random(0, 4095), random(0, 16777215), random(0, 16777215))
  return wrk.format(nil, path)
end

function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(format('{"requests": %d, "duration": %d, "p50": %d, "p99": %d, "failed": %d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), failed))
end
