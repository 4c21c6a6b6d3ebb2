-- The journal of a namespace. ARGV 5: namespace
-- Answers the number of the last call and the records, the oldest first; those that were removed are empty.
local refused = enter()
if refused then return refused end
return {tonumber(redis.call('HGET', P .. '/m/' .. ARGV[5], 'n') or 0), redis.call('LRANGE', P .. '/r/' .. ARGV[5], 0, -1)}
