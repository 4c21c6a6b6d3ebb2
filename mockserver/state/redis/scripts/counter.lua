-- The next number of a counter, from 1. ARGV 5: namespace, resource, name, most names, wall clock, most namespaces
local refused = enter()
if refused then return refused end
local namespace, resource = ARGV[5], ARGV[6]
local due = redis.call('HGET', P .. '/m/' .. namespace, 'r/' .. resource)
if not due and not has_room(namespace, tonumber(ARGV[10])) then return '!full' end
local counters = place('c', namespace, resource)
local most = tonumber(ARGV[8])
if most > 0 and redis.call('HLEN', counters) >= most and redis.call('HEXISTS', counters, ARGV[7]) == 0 then
  for _, each in ipairs(redis.call('HRANDFIELD', counters, math.ceil(most / 100) + 1)) do
    if string.sub(each, 1, 1) ~= '#' then redis.call('HDEL', counters, each) end
  end
end
local number = redis.call('HINCRBY', counters, ARGV[7], 1)
redis.call('EXPIRE', counters, TTL, 'NX')
touch(namespace, resource, due, false, tonumber(ARGV[9]))
return number
