-- Requests from a file, over and over; prints what came of them as a line of JSON (times in µs).
-- A line of the file: method, target, name of a file with a body or nothing, header fields; tabs between them.
-- Each request fills in anew what stands in braces in a target or a field: see load.py.

local random, format = math.random, string.format
local requests, at = {}, 0

local makers = {
  uuid = function() return "%08x-%04x-4%03x-8%03x-%06x%06x", {2147483647, 65535, 4095, 4095, 16777215, 16777215} end,
  octet = function() return "%02x", {255} end,
  number = function(below) return "%d", {below - 1} end,
  key = function(below) return "%012x", {below - 1} end,
}

local function compiled(head, body)
  local bounds = {}
  local template = head:gsub("%%", "%%%%"):gsub("{(%a+) ?(%d*)}", function(name, argument)
    local text, each = makers[name](tonumber(argument))
    for _, bound in ipairs(each) do bounds[#bounds + 1] = bound end
    return text
  end)
  return {template = template, bounds = bounds, values = {}, body = body}
end

function init(arguments)
  math.randomseed(tonumber(arguments[1]))  -- so that no two loads share a key
  for line in io.lines(arguments[2]) do
    local cells = {}
    for cell in (line .. "\t"):gmatch("([^\t]*)\t") do cells[#cells + 1] = cell end
    local lines = {cells[1] .. " " .. cells[2] .. " HTTP/1.1", "Host: " .. wrk.headers["Host"]}
    for number = 4, #cells do lines[#lines + 1] = cells[number] end
    local body = ""
    if cells[3] ~= "" then
      local file = io.open(cells[3], "rb")
      body = file:read("*a")
      file:close()
      lines[#lines + 1] = "Content-Length: " .. #body
    end
    requests[#requests + 1] = compiled(table.concat(lines, "\r\n") .. "\r\n\r\n", body)
  end
end

function request()
  at = at % #requests + 1
  local each = requests[at]
  local bounds, values = each.bounds, each.values
  for number = 1, #bounds do values[number] = random(0, bounds[number]) end
  return format(each.template, unpack(values)) .. each.body
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(format('{"requests": %d, "octets": %d, "duration": %d, "p50": %d, "p99": %d, "failed": %d}',
    summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99), failed))
end
