-- A page of a collection in the order of creation: keys and items in turn.
-- ARGV 5: namespace, resource, parent, offset, how many or -1 for all
local refused = enter()
if refused then return refused end
local order, items = place('o', ARGV[5], ARGV[6]), place('d', ARGV[5], ARGV[6])
local parent, offset, count = ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])
local first = redis.call('ZLEXCOUNT', order, '-', '(' .. parent .. '\0')
local size = redis.call('ZLEXCOUNT', order, '[' .. parent .. '\0', '(' .. parent .. '\1')
local last = count < 0 and size or math.min(size, offset + count)
local found = {}
if offset >= last then return found end
for _, member in ipairs(redis.call('ZRANGE', order, first + offset, first + last - 1)) do
  local inner, key = string.match(member, '^([^%z]*)%z[^%z]*%z(.*)$')
  local item = redis.call('HGET', items, inner .. '\0' .. key)
  if item then
    found[#found + 1] = key
    found[#found + 1] = item
  end
end
return found
