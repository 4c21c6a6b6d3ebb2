-- One call to a resource that is a key and a timeline alone: decided and counted in one step.
-- The same rules as mockserver/state/machine.py, which tests hold it to.
-- ARGV 5: namespace, resource, plan, wall clock, time if the clock was never touched,
--         key, operation, scenario by the file's rules, most resources, most namespaces
-- Answers "now step call changed created clock scenario", '!plan' where that is not served any more, '!wait'
-- where the resource is reserved for work of several steps, '!full' where the namespace finds no room.
local refused = enter()
if refused then return refused end
local namespace, resource, plan, wall = ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8])
local key, operation = ARGV[10], ARGV[11]
if redis.call('HGET', P .. '/g', 'plan') ~= plan then return '!plan' end
local meta = redis.call('HMGET', P .. '/m/' .. namespace, 'c', 'a/' .. resource, 'r/' .. resource,
  'l/' .. resource)
if meta[4] and holder(meta[4]) then return '!wait' end
if not meta[3] and not has_room(namespace, tonumber(ARGV[14])) then return '!full' end
local clock, now = meta[1] or '-', tonumber(ARGV[9])
local kind = string.sub(clock, 1, 1)
if kind == 'f' then now = tonumber(string.sub(clock, 2)) end
if kind == 'o' then now = wall + tonumber(string.sub(clock, 2)) end

local function timeline(scenario)
  local packed = redis.call('HGET', P .. '/t/' .. plan, resource .. '\0' .. scenario)
  return packed and cmsgpack.unpack(packed)
end

local raw = redis.call('HGET', place('s', namespace, resource), key)
local steps, index, calls, entered, created, changed, moves, scenario
if raw then
  index, calls, entered, created, changed, moves, scenario =
    string.match(raw, '^(%d+) (%d+) (%-?%d+) (%-?%d+) (%-?%d+) (%d+) (.*)$')
  steps = timeline(scenario)
  index = tonumber(index)
end
if not steps or index >= #steps then
  scenario = meta[2] or ARGV[12]
  steps = timeline(scenario)
  if not steps then
    scenario = ARGV[12]
    steps = timeline(scenario)
    if not steps then return '!plan' end -- its timelines are gone
  end
  index, calls, entered, created, changed, moves = 0, 0, now, now, now, 0
else
  calls, entered, created, changed, moves =
    tonumber(calls), tonumber(entered), tonumber(created), tonumber(changed), tonumber(moves)
end

-- A row: {state, calls, after, following, {operation = next}, counted, {answers = true} or false}
local STATE, CALLS, AFTER, FOLLOWING, TRANSITIONS, COUNTED, ANSWERS = 1, 2, 3, 4, 5, 6, 7

local function enter(following, at)
  if steps[following + 1][STATE] ~= steps[index + 1][STATE] then changed = at end
  index, calls, entered, moves = following, 0, at, moves + 1
end

-- 1. Time first: a loop is passed whole periods at a time.
local visited = {}
while steps[index + 1][AFTER] > 0 and now >= entered + steps[index + 1][AFTER] do
  local row = steps[index + 1]
  if visited[index] then
    local since, moved = visited[index][1], visited[index][2]
    local period = entered - since
    local periods = math.floor((now - entered) / period)
    entered = entered + periods * period
    moves = moves + periods * (moves - moved)
    if changed > since then changed = changed + periods * period end
    visited = {}
    if now < entered + row[AFTER] then break end
  else
    visited[index] = {entered, moves}
  end
  enter(row[FOLLOWING], entered + row[AFTER])
end

-- 2. Then the operation.
local following = steps[index + 1][TRANSITIONS][operation]
if following then enter(following, now) end

-- 3. Then the call.
local row = steps[index + 1]
local answered, seen, call = index, changed, calls
if not row[ANSWERS] or row[ANSWERS][operation] then
  if row[COUNTED] == '' or row[COUNTED] == operation then calls = calls + 1 end
  call = calls
  if row[CALLS] > 0 and calls >= row[CALLS] then enter(row[FOLLOWING], now) end
end

local is_new = keep(namespace, resource, key, string.format('%d %d %.0f %.0f %.0f %.0f %s',
  index, calls, entered, created, changed, moves, scenario), tonumber(ARGV[13]))
touch(namespace, resource, meta[3], is_new, wall)
return answer(string.format('%.0f %d %d %.0f %.0f %s %s', now, answered, call, seen, created, clock, scenario))
