-- Everything that one call or one control request changes, or nothing, if what it read is no longer so.
-- ARGV 5: plan, wall clock, checks and writes (MessagePack):
--   check  {command, name, field, has, value}: what reading said
--   write  a command, or {'!drop', namespace}, {'!forget', namespace, resource},
--          {'!bound', namespace, resource, most}, {'!touch', namespace, resource, most namespaces}
local refused = enter()
if refused then return refused end
local plan, wall = ARGV[5], tonumber(ARGV[6])
if plan ~= '' and redis.call('HGET', P .. '/g', 'plan') ~= plan then return '!plan' end
for _, check in ipairs(cmsgpack.unpack(ARGV[7])) do
  local found = redis.call(check[1], check[2], check[3])
  if check[4] then
    if found ~= check[5] then return '!conflict' end
  elseif found then
    return '!conflict'
  end
end
for _, write in ipairs(cmsgpack.unpack(ARGV[8])) do
  local name = write[1]
  if name == '!drop' then
    drop(write[2], write[3])
  elseif name == '!forget' then
    forget(write[2], write[3])
  elseif name == '!bound' then
    bound(write[2], write[3], write[4])
  elseif name == '!touch' then
    local due = redis.call('HGET', P .. '/m/' .. write[2], 'r/' .. write[3])
    if not due or wall >= tonumber(due) then touch(write[2], write[3], wall, write[4]) end
  else
    redis.call(unpack(write))
  end
end
return 'done'
