-- What all scripts share. KEYS[1] is the prefix of every name; ARGV begins with
-- the link's name, its epoch, the number of this script and its deadline
-- (milliseconds of this server's clock). Names, all under the prefix:
--   g              hash: plan, the hash of the Plan that is served; origin, that of the one processes are started
--                  with; evicted resources, evicted namespaces
--   t/PLAN         hash: resource \0 scenario -> timeline (MessagePack)
--   w/LINK         hash: e epoch, n number of the last script that was run; k how many answers are kept, if they are,
--                  and these: aI number and answer, of the number whose rest by k is I
--   ns             sorted set: namespace -> when it was last used (µs), or STAYS and that for one which a control
--                  request was about
--   m/NS           hash: c clock; x that a control request was about it; a/RESOURCE assigned scenario; r/RESOURCE when its times to live
--                  are set anew; l/RESOURCE for whom it is reserved; n calls, s calls before the journal was cleared, d removed ones,
--                  b bytes of the journal, t removed ones that are in its list as empty texts
--   s/NS/RESOURCE  hash: key -> state      u/…  sorted set: key -> when it was last used (µs of this server's clock)
--   b/…            hash: key -> creation   h/…  hash: key -> its handles (in hexadecimal, with spaces between)
--   k/…            hash: handle \0 value -> key
--   d/…            hash: parent \0 key -> item: numbers and the body, with spaces between
--   o/…            sorted set: parent \0 number \0 key, all with the score 0, so in the order of creation
--   q/…            sorted set: parent \0 key -> when the item was last used (µs of this server's clock)
--   y/…            the bytes of the items
--   c/…            hash: counters          v/…  hash: windows of limits
--   r/NS           list: the journal, whose last call has the number n
local P = KEYS[1]
local TTL = 7 * 86400
local STAYS = 4000000000000000 -- exact in a double with the microseconds of a hundred years
local KINDS = {'s', 'u', 'b', 'h', 'k', 'c', 'v', 'd', 'o', 'q', 'y'}
local ITEM_BYTES = 400 -- what an item takes beside its text and its names in the three tables
local moment, keeps

-- Whether this script may run; notes that it did. Else what to answer.
local function enter()
  local time = redis.call('TIME')
  moment = time[1] * 1000000 + time[2]
  if moment / 1000 > tonumber(ARGV[4]) then return '!late' end
  local link = P .. '/w/' .. ARGV[1]
  local known = redis.call('HMGET', link, 'e', 'k')
  if known[1] ~= ARGV[2] then return '!epoch' end
  keeps = known[2]
  redis.call('HSET', link, 'n', ARGV[3])
end

-- An answer, which is kept for a link that may have to ask what it was.
local function answer(said)
  if keeps then
    redis.call('HSET', P .. '/w/' .. ARGV[1], 'a' .. ARGV[3] % keeps, ARGV[3] .. ' ' .. said)
  end
  return said
end

-- For whom a resource is reserved at this moment, by what meta says in l/RESOURCE: 'until holder'.
local function holder(said)
  local till, name = string.match(said or '', '^(%d+) (.*)$')
  return till and moment / 1000 < tonumber(till) and name
end

local function place(kind, namespace, resource)
  return P .. '/' .. kind .. '/' .. namespace .. '/' .. resource
end

local function forget(namespace, resource)
  for _, kind in ipairs(KINDS) do redis.call('DEL', place(kind, namespace, resource)) end
  redis.call('HDEL', P .. '/m/' .. namespace, 'r/' .. resource)
end

-- Forget the resources of a namespace, or all of it.
local function drop(namespace, whole)
  local meta = P .. '/m/' .. namespace
  for _, field in ipairs(redis.call('HKEYS', meta)) do
    if string.sub(field, 1, 2) == 'r/' then
      forget(namespace, string.sub(field, 3))
    elseif string.sub(field, 1, 2) == 'a/' then
      redis.call('HDEL', meta, field)
    end
  end
  if whole then
    redis.call('DEL', meta, P .. '/r/' .. namespace)
    redis.call('ZREM', P .. '/ns', namespace)
  end
end

-- Whether a namespace is there, or can be made: then there is room for it, where others are to go for it. None goes
-- that a control request was about, unless nobody has used it for its time to live. 'most' is with the default one.
-- A script that makes a namespace asks before it writes anything, and answers '!full' where there is no room.
local function has_room(namespace, most)
  local names = P .. '/ns'
  if namespace == 'default' or redis.call('ZSCORE', names, namespace) then return true end
  local others = redis.call('ZCARD', names) - (redis.call('ZSCORE', names, 'default') and 1 or 0)
  if others < most - 1 then return true end
  local oldest = redis.call('ZRANGE', names, 0, 1, 'WITHSCORES')
  local at = oldest[1] == 'default' and 3 or 1
  local used = tonumber(oldest[at + 1])
  if not used or used >= STAYS and used - STAYS > moment - TTL * 1000000 then return false end
  drop(oldest[at], true)
  redis.call('HINCRBY', P .. '/g', 'namespaces', 1)
  return true
end

-- Let a namespace, and what there is of a resource of it, live on for its time; and the Plan that is served.
local function renew(namespace, resource, wall, stays)
  local meta, names = P .. '/m/' .. namespace, P .. '/ns'
  redis.call('HSET', meta, 'r/' .. resource, string.format('%.0f', wall + TTL * 1000 / 64))
  redis.call('EXPIRE', meta, TTL)
  redis.call('EXPIRE', P .. '/r/' .. namespace, TTL)
  for _, kind in ipairs(KINDS) do redis.call('EXPIRE', place(kind, namespace, resource), TTL) end
  local plan = redis.call('HGET', P .. '/g', 'plan') or ''
  redis.call('EXPIRE', P .. '/t/' .. plan, 30 * 86400)
  redis.call('EXPIRE', P .. '/p/' .. plan, 30 * 86400)
  stays = stays or tonumber(redis.call('ZSCORE', names, namespace) or 0) >= STAYS
  redis.call('ZADD', names, stays and STAYS + moment or moment, namespace)
  redis.call('EXPIRE', names, TTL)
end

-- A namespace, and a resource of it unless that is empty, is used. 'due' is what its meta says in r/RESOURCE;
-- 'is_new' says that a name was made whose time to live is to be set.
local function touch(namespace, resource, due, is_new, wall)
  if is_new or not due or wall >= tonumber(due) then
    renew(namespace, resource, wall)
  elseif namespace ~= 'default' then
    redis.call('ZADD', P .. '/ns', 'GT', moment, namespace) -- that it stays is more
  end
end

-- Keep states; whether they are the first of their resource. 'used' has moments and keys, 'kept' keys and states.
local function keep(namespace, resource, used, kept, most)
  local states, uses = place('s', namespace, resource), place('u', namespace, resource)
  redis.call('ZADD', uses, unpack(used))
  local added = redis.call('HSET', states, unpack(kept))
  if added == 0 then return false end
  local count = redis.call('HLEN', states)
  if count <= most then return count == added end
  -- Those make room that were not used for longest.
  local popped = redis.call('ZPOPMIN', uses, math.max(count - most, math.floor(most / 100)))
  for index = 1, #popped, 2 do
    local old = popped[index]
    redis.call('HDEL', states, old)
    redis.call('HDEL', place('b', namespace, resource), old)
    local handles = redis.call('HGET', place('h', namespace, resource), old)
    if handles then
      for each in string.gmatch(handles, '%x+') do
        local handle = string.gsub(each, '..', function(pair) return string.char(tonumber(pair, 16)) end)
        redis.call('HDEL', place('k', namespace, resource), handle)
      end
      redis.call('HDEL', place('h', namespace, resource), old)
    end
  end
  redis.call('HINCRBY', P .. '/g', 'evicted', #popped / 2)
  return count == #popped / 2 + added
end

-- The name of an item in the order of creation. 'field' is its parent \0 key.
local function ordered(field, item)
  local parent, key = string.match(field, '^([^%z]*)%z(.*)$')
  return parent .. '\0' .. string.format('%016x', string.match(item, '^%d+')) .. '\0' .. key
end

-- Add to the bytes of the items of a resource; what they are then.
local function grow(namespace, resource, by)
  local bytes = redis.call('INCRBY', place('y', namespace, resource), string.format('%d', by))
  if bytes <= 0 then redis.call('DEL', place('y', namespace, resource)) end
  return bytes
end

-- Delete an item of a collection.
local function remove_item(namespace, resource, field)
  local items = place('d', namespace, resource)
  local item = redis.call('HGET', items, field)
  redis.call('ZREM', place('q', namespace, resource), field)
  if not item then return end
  redis.call('HDEL', items, field)
  redis.call('ZREM', place('o', namespace, resource), ordered(field, item))
  grow(namespace, resource, -(ITEM_BYTES + 3 * #field + #item))
end

-- Keep an item. Those make room that were not used for longest, where there are more than 'most', or more bytes
-- than 'most_bytes'.
local function keep_item(namespace, resource, field, item, most, most_bytes)
  local items, used = place('d', namespace, resource), place('q', namespace, resource)
  local growth = #item - redis.call('HSTRLEN', items, field)
  if redis.call('HSET', items, field, item) == 1 then
    redis.call('ZADD', place('o', namespace, resource), 0, ordered(field, item))
    growth = growth + ITEM_BYTES + 3 * #field
  end
  redis.call('ZADD', used, moment, field)
  local bytes, count = grow(namespace, resource, growth), redis.call('HLEN', items)
  if count <= most and bytes <= most_bytes then return end
  local number, enough = count, bytes
  if count > most then number = math.min(most, count - math.floor(most / 100)) end
  if bytes > most_bytes then enough = most_bytes - math.floor(most_bytes / 64) end
  local evicted = 0
  while count - evicted > number or bytes > enough do
    local oldest = redis.call('ZRANGE', used, 0, 1)
    local old = oldest[1] == field and oldest[2] or oldest[1]
    if not old or old == field then break end
    remove_item(namespace, resource, old)
    bytes = tonumber(redis.call('GET', place('y', namespace, resource)) or 0)
    evicted = evicted + 1
  end
  redis.call('HINCRBY', P .. '/g', 'evicted', evicted)
end

-- Delete the items of a collection and of the collections below it.
local function remove_below(namespace, resource, parent)
  local order = place('o', namespace, resource)
  for _, mark in ipairs({'\0', '/'}) do
    local from, to = '[' .. parent .. mark, '(' .. parent .. string.char(string.byte(mark) + 1)
    for _, member in ipairs(redis.call('ZRANGEBYLEX', order, from, to)) do
      local inner, key = string.match(member, '^([^%z]*)%z[^%z]*%z(.*)$')
      remove_item(namespace, resource, inner .. '\0' .. key)
    end
  end
end
