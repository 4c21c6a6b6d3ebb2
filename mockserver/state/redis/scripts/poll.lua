-- Calls to resources that are a key and a timeline alone: each is decided and counted, in the order given.
-- The same rules as mockserver/state/machine.py, which tests hold it to.
-- ARGV 5: plan, wall clock, time of clocks that were never touched or '' for the wall clock, most resources,
--         most namespaces; then groups: namespace, resource, operation, scenario by the file's rules, the number of
--         keys, the keys
-- Answers for each key "now step call changed created clock scenario", '!plan' where the plan is not served any more,
-- '!wait' where the resource is reserved for work of several steps, '!full' where the namespace finds no room, or
-- '!error MESSAGE'. Nothing was counted for an answer with an exclamation mark. \0 stands between the answers.
local refused = enter()
if refused then return refused end
local plan, wall, most, most_namespaces = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[8]), tonumber(ARGV[9])
local untouched = tonumber(ARGV[7]) or wall
local said, format, match = {}, string.format, string.match
local is_served = redis.call('HGET', P .. '/g', 'plan') == plan

local timelines = {}
local function timeline(resource, scenario)
  local name = resource .. '\0' .. scenario
  local steps = timelines[name]
  if not steps then
    local packed = redis.call('HGET', P .. '/t/' .. plan, name)
    steps = packed and cmsgpack.unpack(packed)
    timelines[name] = steps
  end
  return steps
end

-- A row: {state, calls, after, following, {operation = next}, counted, {answers = true} or false}
local STATE, CALLS, AFTER, FOLLOWING, TRANSITIONS, COUNTED, ANSWERS = 1, 2, 3, 4, 5, 6, 7

-- A time or a count as text. What was read and not changed is text already.
local function text(value)
  return type(value) == 'string' and value or format('%.0f', value)
end

local function move(state, steps, following, at)
  if steps[following + 1][STATE] ~= steps[state.index + 1][STATE] then state.changed = at end
  state.index, state.calls, state.entered, state.moves = following, 0, at, state.moves + 1
end

-- Time: a loop is passed whole periods at a time.
local function pass(state, steps, now)
  local visited = {}
  while steps[state.index + 1][AFTER] > 0 and now >= state.entered + steps[state.index + 1][AFTER] do
    local row, seen = steps[state.index + 1], visited[state.index]
    if seen then
      local since, moved = seen[1], seen[2]
      local period = state.entered - since
      local periods = math.floor((now - state.entered) / period)
      state.entered = state.entered + periods * period
      state.moves = state.moves + periods * (state.moves - moved)
      if tonumber(state.changed) > since then state.changed = state.changed + periods * period end
      visited = {}
      if now < state.entered + row[AFTER] then break end
    else
      visited[state.index] = {tonumber(state.entered), tonumber(state.moves)}
    end
    move(state, steps, row[FOLLOWING], state.entered + row[AFTER])
  end
end

-- The calls of a group, whose keys are the arguments from first to last; or one answer to all of them.
local function poll(namespace, resource, operation, chosen, first, last)
  local meta = redis.call('HMGET', P .. '/m/' .. namespace, 'c', 'a/' .. resource, 'r/' .. resource, 'l/' .. resource)
  if meta[4] and holder(meta[4]) then return '!wait' end
  if not meta[3] and not has_room(namespace, most_namespaces) then return '!full' end
  local clock, now = meta[1] or '-', untouched
  local kind = string.sub(clock, 1, 1)
  if kind == 'f' then now = tonumber(string.sub(clock, 2)) end
  if kind == 'o' then now = wall + tonumber(string.sub(clock, 2)) end
  local now_text = format('%.0f', now)
  local raws = redis.call('HMGET', place('s', namespace, resource), unpack(ARGV, first, last))
  local states, order, from = {}, {}, #said
  for at = first, last do
    local key = ARGV[at]
    local state, raw = states[key], raws[at - first + 1]
    if not state then
      state = {}
      if raw then
        local index, calls
        index, calls, state.entered, state.created, state.changed, state.moves, state.scenario =
          match(raw, '^(%d+) (%d+) (%-?%d+) (%-?%d+) (%-?%d+) (%d+) (.*)$')
        state.index, state.calls = tonumber(index), tonumber(calls)
      end
      states[key] = state
    end
    state.at = at
    local steps = state.scenario and timeline(resource, state.scenario)
    if not steps or state.index >= #steps then
      state.scenario = meta[2] or chosen
      steps = timeline(resource, state.scenario)
      if not steps then
        state.scenario = chosen
        steps = timeline(resource, chosen)
        if not steps then -- its timelines are gone
          for index = #said, from + 1, -1 do said[index] = nil end
          return '!plan'
        end
      end
      state.index, state.calls, state.moves = 0, 0, '0'
      state.entered, state.created, state.changed = now_text, now_text, now_text
    end

    -- 1. Time first. 2. Then the operation. 3. Then the call.
    if steps[state.index + 1][AFTER] > 0 then pass(state, steps, now) end
    local following = steps[state.index + 1][TRANSITIONS][operation]
    if following then move(state, steps, following, now) end
    local row = steps[state.index + 1]
    local answered, seen, call = state.index, text(state.changed), state.calls
    if not row[ANSWERS] or row[ANSWERS][operation] then
      if row[COUNTED] == '' or row[COUNTED] == operation then state.calls = state.calls + 1 end
      call = state.calls
      if row[CALLS] > 0 and call >= row[CALLS] then move(state, steps, row[FOLLOWING], now) end
    end
    said[#said + 1] = format('%s %d %d %s %s %s %s', now_text, answered, call, seen, state.created, clock, state.scenario)
  end
  local used, kept = {}, {}
  for key, state in pairs(states) do
    local score = moment + state.at - first -- in the order of the calls
    used[#used + 1] = format('%d%06d', score / 1000000, score % 1000000) -- %.0f takes ten times as long
    used[#used + 1] = key
    kept[#kept + 1] = key
    kept[#kept + 1] = format('%d %d %s %s %s %s %s', state.index, state.calls, text(state.entered), state.created,
      text(state.changed), text(state.moves), state.scenario)
  end
  touch(namespace, resource, meta[3], keep(namespace, resource, used, kept, most), wall)
end

local at = 10
while at <= #ARGV do
  local first, before = at + 5, #said
  local last = first + tonumber(ARGV[at + 4]) - 1
  local instead = '!plan'
  if is_served then
    local is_done, result = pcall(poll, ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], first, last)
    instead = result
    if not is_done then instead = '!error ' .. (type(result) == 'table' and result.err or tostring(result)) end
  end
  if instead then
    for index = 1, last - first + 1 do said[before + index] = instead end
  end
  at = last + 1
end
return answer(table.concat(said, '\0'))
