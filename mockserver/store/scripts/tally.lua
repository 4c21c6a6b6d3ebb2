-- The next number of a counter, from 1. ARGV 5: namespace, resource, name, most names
local refused = enter()
if refused then return refused end
local counters = place('c', ARGV[5], ARGV[6])
local most = tonumber(ARGV[8])
if most > 0 and redis.call('HLEN', counters) >= most and redis.call('HEXISTS', counters, ARGV[7]) == 0 then
  for _, each in ipairs(redis.call('HRANDFIELD', counters, math.ceil(most / 100))) do
    if string.sub(each, 1, 1) ~= '#' then redis.call('HDEL', counters, each) end
  end
end
return redis.call('HINCRBY', counters, ARGV[7], 1)
