-- Everything that one call or one control request changes, or nothing, if what it read is no longer so.
-- ARGV 5: plan, wall clock, then the number of checks and the checks, then the writes, each with the
-- number of its words in front:
--   check  name, field, 1 or 0 for whether it was there, value: what reading said
--   write  a command, or {'!drop', namespace}, {'!forget', namespace, resource},
--          {'!bound', namespace, resource, most}, {'!touch', namespace, resource, most namespaces}
local refused = enter()
if refused then return refused end
local plan, wall = ARGV[5], tonumber(ARGV[6])
if plan ~= '' and redis.call('HGET', P .. '/g', 'plan') ~= plan then return '!plan' end
local at = 8
for _ = 1, tonumber(ARGV[7]) do
  local found = redis.call('HGET', ARGV[at], ARGV[at + 1])
  if ARGV[at + 2] == '1' then
    if found ~= ARGV[at + 3] then return '!conflict' end
  elseif found then
    return '!conflict'
  end
  at = at + 4
end
while at <= #ARGV do
  local count = tonumber(ARGV[at])
  local name = ARGV[at + 1]
  if name == '!drop' then
    drop(ARGV[at + 2], ARGV[at + 3] == '1')
  elseif name == '!forget' then
    forget(ARGV[at + 2], ARGV[at + 3])
  elseif name == '!bound' then
    bound(ARGV[at + 2], ARGV[at + 3], tonumber(ARGV[at + 4]))
  elseif name == '!touch' then
    local due = redis.call('HGET', P .. '/m/' .. ARGV[at + 2], 'r/' .. ARGV[at + 3])
    if not due or wall >= tonumber(due) then touch(ARGV[at + 2], ARGV[at + 3], wall, tonumber(ARGV[at + 4])) end
  else
    redis.call(unpack(ARGV, at + 1, at + count))
  end
  at = at + count + 1
end
return 'done'
