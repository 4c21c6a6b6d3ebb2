-- Everything that one call or one control request changes, or nothing, if what it read is no longer so.
-- ARGV 5: plan, wall clock, who commits; the number of resources that are read, their namespaces and names;
-- the number of checks and the checks; then the writes, each with the number of its words in front:
--   check  name, field, 1 or 0 for whether it was there, value: what reading said
--   write  a command, or {'!put', namespace, resource, most, key, state},
--          {'!drop', namespace, 1 for all of it}, {'!forget', namespace, resource},
--          {'!keep', namespace, resource, most, most bytes, field, item}, {'!remove', namespace, resource, field},
--          {'!below', namespace, resource, parent} for items of data,
--          {'!clear', namespace} its journal, {'!strike', namespace, number} a call from it,
--          {'!stay', namespace}, as a control request is about it,
--          {'!touch', namespace, resource, most namespaces}, which is to be the last of a resource
-- Answers '!conflict' where what was read is no longer so, '!plan' where another one is served, '!full' where a
-- namespace finds no room.
local refused = enter()
if refused then return refused end
local plan, wall = ARGV[5], tonumber(ARGV[6])
if plan ~= '' and redis.call('HGET', P .. '/g', 'plan') ~= plan then return '!plan' end
local at = 9
for _ = 1, tonumber(ARGV[8]) do
  local meta, field = P .. '/m/' .. ARGV[at], 'l/' .. ARGV[at + 1]
  local said = redis.call('HGET', meta, field)
  local name = said and holder(said)
  if name == ARGV[7] then
    redis.call('HDEL', meta, field)
  elseif name then
    return '!conflict'
  end
  at = at + 2
end
local checks = tonumber(ARGV[at])
at = at + 1
for _ = 1, checks do
  local found = redis.call('HGET', ARGV[at], ARGV[at + 1])
  if ARGV[at + 2] == '1' then
    if found ~= ARGV[at + 3] then return '!conflict' end
  elseif found then
    return '!conflict'
  end
  at = at + 4
end
local first = at
while at <= #ARGV do
  if ARGV[at + 1] == '!touch' and not has_room(ARGV[at + 2], tonumber(ARGV[at + 4])) then return '!full' end
  at = at + tonumber(ARGV[at]) + 1
end
at = first
while at <= #ARGV do
  local count = tonumber(ARGV[at])
  local name = ARGV[at + 1]
  if name == '!drop' then
    drop(ARGV[at + 2], ARGV[at + 3] == '1')
  elseif name == '!forget' then
    forget(ARGV[at + 2], ARGV[at + 3])
  elseif name == '!put' then
    keep(ARGV[at + 2], ARGV[at + 3], {moment, ARGV[at + 5]}, {ARGV[at + 5], ARGV[at + 6]}, tonumber(ARGV[at + 4]))
  elseif name == '!keep' then
    keep_item(
      ARGV[at + 2], ARGV[at + 3], ARGV[at + 6], ARGV[at + 7], tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
    )
  elseif name == '!remove' then
    remove_item(ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
  elseif name == '!below' then
    remove_below(ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
  elseif name == '!clear' then
    local meta = P .. '/m/' .. ARGV[at + 2]
    redis.call('DEL', P .. '/r/' .. ARGV[at + 2])
    redis.call('HSET', meta, 's', redis.call('HGET', meta, 'n') or '0', 'd', 0, 'b', 0, 't', 0)
  elseif name == '!strike' then
    local meta, journal = P .. '/m/' .. ARGV[at + 2], P .. '/r/' .. ARGV[at + 2]
    local index = tonumber(ARGV[at + 3]) - tonumber(redis.call('HGET', meta, 'n') or 0) - 1 -- from the end
    local removed = redis.call('LINDEX', journal, index)
    if index < 0 and removed and removed ~= '' then
      redis.call('LSET', journal, index, '')
      redis.call('HINCRBY', meta, 'd', 1)
      redis.call('HINCRBY', meta, 't', 1)
      redis.call('HINCRBY', meta, 'b', -#removed)
    end
  elseif name == '!stay' then
    redis.call('HSET', P .. '/m/' .. ARGV[at + 2], 'x', 1)
    renew(ARGV[at + 2], '', wall, true)
  elseif name == '!touch' then
    local due = redis.call('HGET', P .. '/m/' .. ARGV[at + 2], 'r/' .. ARGV[at + 3])
    touch(ARGV[at + 2], ARGV[at + 3], due, false, wall)
    for _, kind in ipairs(KINDS) do
      redis.call('EXPIRE', place(kind, ARGV[at + 2], ARGV[at + 3]), TTL, 'NX')
    end
  else
    redis.call(unpack(ARGV, at + 1, at + count))
  end
  at = at + count + 1
end
return answer('done')
