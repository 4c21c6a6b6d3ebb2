-- Keep others from resources for a moment, so that work of several steps gets through where they are called
-- without a pause. ARGV 5: who, how long (ms), then namespaces and resources. Who comes second has to wait.
local refused = enter()
if refused then return refused end
for at = 7, #ARGV, 2 do
  local meta, field = P .. '/m/' .. ARGV[at], 'l/' .. ARGV[at + 1]
  if not holder(redis.call('HGET', meta, field)) then
    redis.call('HSET', meta, field, string.format('%.0f %s', moment / 1000 + tonumber(ARGV[6]), ARGV[5]))
    redis.call('EXPIRE', meta, TTL, 'NX')
  end
end
return 'done'
