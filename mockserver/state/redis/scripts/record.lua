-- Write calls down in the journals of namespaces: streams whose ids are the numbers of the calls.
-- ARGV 5: most calls, most bytes, wall clock, most namespaces; then groups: namespace, the number of records, the records
-- Answers for each record its number, or '!full' where the namespace finds no room. \0 stands between the answers.
local refused = enter()
if refused then return refused end
local most, bytes, wall, most_namespaces = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local said = {}

-- Delete the oldest calls as long as there are too many; 'size' is that of all, 'count' says how many are new.
local function shorten(meta, journal, size, count)
  local length = redis.call('XLEN', journal)
  while size > bytes or length > most do
    local ids, freed = {}, 0
    for _, oldest in ipairs(redis.call('XRANGE', journal, '-', '+', 'COUNT', count)) do
      if size - freed <= bytes and length - #ids <= most then break end
      ids[#ids + 1] = oldest[1]
      freed = freed + #oldest[2][2]
    end
    if #ids == 0 then break end
    length = length - redis.call('XDEL', journal, unpack(ids))
    size = redis.call('HINCRBY', meta, 'b', -freed)
  end
end

local function record(namespace, first, last)
  local meta, journal, count = P .. '/m/' .. namespace, P .. '/j/' .. namespace, last - first + 1
  local due = redis.call('HGET', meta, 'r/')
  if not due and not has_room(namespace, most_namespaces) then
    for _ = 1, count do said[#said + 1] = '!full' end
    return
  end
  local number, size = redis.call('HINCRBY', meta, 'n', count) - count, 0
  for at = first, last do
    number = number + 1
    redis.call('XADD', journal, string.format('%.0f-1', number), 'r', ARGV[at])
    size = size + #ARGV[at]
    said[#said + 1] = string.format('%.0f', number)
  end
  shorten(meta, journal, redis.call('HINCRBY', meta, 'b', size), count)
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
