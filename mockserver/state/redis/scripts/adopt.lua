-- Let another Plan be the one that is served, unless that was done already. ARGV 5: the Plan before, the new one,
-- the Plan that processes are started with, or '' to leave that.
local refused = enter()
if refused then return refused end
local global = P .. '/g'
if (redis.call('HGET', global, 'plan') or '') ~= ARGV[5] then return '!plan' end
redis.call('HSET', global, 'plan', ARGV[6])
if ARGV[7] ~= '' then redis.call('HSET', global, 'origin', ARGV[7]) end
return 'done'
