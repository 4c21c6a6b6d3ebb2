-- Write a call down in a namespace's journal: a stream whose ids are the numbers of its calls.
-- ARGV 5: namespace, record, most calls, most bytes, wall clock, most namespaces
local refused = enter()
if refused then return refused end
local meta, journal = P .. '/m/' .. ARGV[5], P .. '/j/' .. ARGV[5]
local due = redis.call('HGET', meta, 'r/')
if not due and not has_room(ARGV[5], tonumber(ARGV[10])) then return '!full' end
local most, bytes = tonumber(ARGV[7]), tonumber(ARGV[8])
local number = redis.call('HINCRBY', meta, 'n', 1)
redis.call('XADD', journal, number .. '-1', 'r', ARGV[6])
local size = redis.call('HINCRBY', meta, 'b', #ARGV[6])
while size > bytes or redis.call('XLEN', journal) > most do
  local oldest = redis.call('XRANGE', journal, '-', '+', 'COUNT', 1)[1]
  if not oldest then break end
  redis.call('XDEL', journal, oldest[1])
  size = redis.call('HINCRBY', meta, 'b', -#oldest[2][2])
end
redis.call('EXPIRE', journal, TTL, 'NX')
touch(ARGV[5], '', due, false, tonumber(ARGV[9]))
return number
