-- What all scripts share. KEYS[1] is the prefix of every name; ARGV begins with
-- the link's name, its epoch, the number of this script and its deadline
-- (milliseconds of this server's clock). Names, all under the prefix:
--   g              hash: plan, the hash of the Plan that is served
--   t/PLAN         hash: resource \0 scenario -> timeline (MessagePack)
--   w/LINK         hash: e epoch, n number of the last script that was run
--   ns             sorted set: namespace -> when it was last used (ms)
--   m/NS           hash: c clock; a/RESOURCE assigned scenario; r/RESOURCE when its times to live
--                  are set anew; n calls, s calls before the journal was cleared, d removed ones,
--                  b bytes of the journal
--   s/NS/RESOURCE  hash: key -> state      u/…  sorted set: key -> when it was last used
--   b/…            hash: key -> birth      h/…  hash: key -> its handles (in hexadecimal, with spaces between)
--   k/…            hash: handle \0 value -> key
--   c/…            hash: counters          v/…  hash: windows of limits
--   j/NS           stream: the journal
local P = KEYS[1]
local TTL = 7 * 86400
local KINDS = {'s', 'u', 'b', 'h', 'k', 'c', 'v'}

-- Whether this script may run; notes that it did. Else what to answer.
local function enter()
  local time = redis.call('TIME')
  if time[1] * 1000 + time[2] / 1000 > tonumber(ARGV[4]) then return '!late' end
  local link = P .. '/w/' .. ARGV[1]
  if redis.call('HGET', link, 'e') ~= ARGV[2] then return '!epoch' end
  redis.call('HSET', link, 'n', ARGV[3])
end

local function place(kind, namespace, resource)
  return P .. '/' .. kind .. '/' .. namespace .. '/' .. resource
end

local function forget(namespace, resource)
  for _, kind in ipairs(KINDS) do redis.call('DEL', place(kind, namespace, resource)) end
end

-- Forget the resources of a namespace, or all of it.
local function drop(namespace, whole)
  local meta = P .. '/m/' .. namespace
  for _, field in ipairs(redis.call('HKEYS', meta)) do
    if string.sub(field, 1, 2) == 'r/' then
      forget(namespace, string.sub(field, 3))
      redis.call('HDEL', meta, field)
    elseif string.sub(field, 1, 2) == 'a/' then
      redis.call('HDEL', meta, field)
    end
  end
  if whole then
    redis.call('DEL', meta, P .. '/j/' .. namespace)
    redis.call('ZREM', P .. '/ns', namespace)
  end
end

-- A namespace, and a resource of it unless that is empty, is used: it lives on for its time.
local function touch(namespace, resource, wall, most)
  local meta, names = P .. '/m/' .. namespace, P .. '/ns'
  redis.call('HSET', meta, 'r/' .. resource, string.format('%.0f', wall + TTL * 1000 / 64))
  redis.call('EXPIRE', meta, TTL)
  redis.call('EXPIRE', P .. '/j/' .. namespace, TTL)
  if resource ~= '' then
    for _, kind in ipairs(KINDS) do redis.call('EXPIRE', place(kind, namespace, resource), TTL) end
  end
  redis.call('ZADD', names, wall, namespace)
  redis.call('EXPIRE', names, TTL)
  if redis.call('ZCARD', names) > most then
    local oldest = redis.call('ZRANGE', names, 0, 1)
    for _, name in ipairs(oldest) do
      if name ~= 'default' and name ~= namespace then
        drop(name, true)
        redis.call('HINCRBY', P .. '/g', 'namespaces', 1)
        break
      end
    end
  end
end

-- Keep no more than so many resources: those go that were not used for longest.
local function bound(namespace, resource, most)
  local states = place('s', namespace, resource)
  local count = redis.call('HLEN', states)
  if count <= most then return end
  local popped = redis.call('ZPOPMIN', place('u', namespace, resource), math.max(count - most, math.floor(most / 100)))
  for index = 1, #popped, 2 do
    local key = popped[index]
    redis.call('HDEL', states, key)
    redis.call('HDEL', place('b', namespace, resource), key)
    local handles = redis.call('HGET', place('h', namespace, resource), key)
    if handles then
      for each in string.gmatch(handles, '%x+') do
        local handle = string.gsub(each, '..', function(pair) return string.char(tonumber(pair, 16)) end)
        redis.call('HDEL', place('k', namespace, resource), handle)
      end
      redis.call('HDEL', place('h', namespace, resource), key)
    end
  end
  redis.call('HINCRBY', P .. '/g', 'evicted', #popped / 2)
end
