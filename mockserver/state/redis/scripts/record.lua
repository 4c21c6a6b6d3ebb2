-- Write calls down in the journals of namespaces, which are lists. The last one of a list is the call with the number n.
-- ARGV 5: most calls, most bytes, wall clock, most namespaces; then groups: namespace, the number of records, the records
-- Answers for each record its number, or '!full' where the namespace finds no room. \0 stands between the answers.
local refused = enter()
if refused then return refused end
local most, bytes, wall, most_namespaces = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local said = {}

-- Delete the oldest calls while there are too many. Those that a control request removed are empty, and take room until
-- they are as many.
local function shorten(meta, journal, length, size)
  if length <= most and size <= bytes then return end
  local removed, freed, emptied = tonumber(redis.call('HGET', meta, 't') or 0), 0, 0
  while length > 0 and (length - removed + emptied > most or length > 2 * most or size - freed > bytes) do
    local too_many = math.max(length - removed + emptied - most, length - 2 * most, 1)
    for _, oldest in ipairs(redis.call('LPOP', journal, too_many)) do
      length = length - 1
      freed = freed + #oldest
      if oldest == '' then emptied = emptied + 1 end
    end
  end
  redis.call('HINCRBY', meta, 'b', -freed)
  if emptied > 0 then redis.call('HINCRBY', meta, 't', -emptied) end
end

local function record(namespace, first, last)
  local meta, journal, count = P .. '/m/' .. namespace, P .. '/r/' .. namespace, last - first + 1
  local due = redis.call('HGET', meta, 'r/')
  if not due and not has_room(namespace, most_namespaces) then
    for _ = 1, count do said[#said + 1] = '!full' end
    return
  end
  local number, size = redis.call('HINCRBY', meta, 'n', count) - count, 0
  for at = first, last do
    size = size + #ARGV[at]
    said[#said + 1] = string.format('%.0f', number + at - first + 1)
  end
  local length = redis.call('RPUSH', journal, unpack(ARGV, first, last))
  shorten(meta, journal, length, redis.call('HINCRBY', meta, 'b', size))
  redis.call('EXPIRE', journal, TTL, 'NX')
  touch(namespace, '', due, false, wall)
end

local at = 9
while at <= #ARGV do
  local last = at + 1 + tonumber(ARGV[at + 1])
  record(ARGV[at], at + 2, last)
  at = last + 1
end
return table.concat(said, '\0')
