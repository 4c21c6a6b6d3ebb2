-- Whether the store can be used: this writes, as every script does, and looks at what others wrote.
-- ARGV 5: plan, then resources. Answers '' or what is wrong; keys of a hundred namespaces are looked at.
local refused = enter()
if refused then return refused end

local function wrong(name, wanted)
  local found = redis.call('TYPE', name).ok
  if found ~= 'none' and found ~= wanted then return name .. ' is a ' .. found .. ' and not a ' .. wanted end
end

local said = wrong(P .. '/g', 'hash') or wrong(P .. '/ns', 'zset')
  or wrong(P .. '/t/' .. ARGV[5], 'hash') or wrong(P .. '/p/' .. ARGV[5], 'hash')
if said then return said end
local namespaces = redis.call('ZRANGE', P .. '/ns', 0, 99)
table.insert(namespaces, 'default')
for _, namespace in ipairs(namespaces) do
  said = wrong(P .. '/m/' .. namespace, 'hash') or wrong(P .. '/r/' .. namespace, 'list')
  for at = 6, #ARGV do
    for _, kind in ipairs(KINDS) do
      said = said or wrong(place(kind, namespace, ARGV[at]), (kind == 'u' or kind == 'o' or kind == 'q') and 'zset' or 'hash')
    end
  end
  if said then return said end
end
return ''
