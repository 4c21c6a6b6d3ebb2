-- Count a call in its window of time, which begins with the first call after the last one is over. The same rules
-- as count_in_window of mockserver/state/tables.py, which tests hold it to.
-- ARGV 5: namespace, resource, name, now, length (ms), most windows, wall clock, most namespaces
-- Answers {calls with this one, when the window began}.
local refused = enter()
if refused then return refused end
local due = redis.call('HGET', P .. '/m/' .. ARGV[5], 'r/' .. ARGV[6])
if not due and not has_room(ARGV[5], tonumber(ARGV[12])) then return '!full' end
local windows, name = place('v', ARGV[5], ARGV[6]), ARGV[7]
local now, length = tonumber(ARGV[8]), tonumber(ARGV[9])
local raw = redis.call('HGET', windows, name)
local count, began = 0, now
if raw then
  local known, since = string.match(raw, '^(%d+) (%-?%d+)$')
  since = tonumber(since)
  if since - length < now and now < since + length then count, began = tonumber(known), math.min(since, now) end
end
if not raw and redis.call('HLEN', windows) >= tonumber(ARGV[10]) then
  local some = redis.call('HRANDFIELD', windows, math.ceil(tonumber(ARGV[10]) / 100))
  for _, each in ipairs(some) do redis.call('HDEL', windows, each) end
end
redis.call('HSET', windows, name, string.format('%d %.0f', count + 1, began))
redis.call('EXPIRE', windows, TTL, 'NX')
touch(ARGV[5], ARGV[6], due, false, tonumber(ARGV[11]))
return {count + 1, string.format('%.0f', began)}
