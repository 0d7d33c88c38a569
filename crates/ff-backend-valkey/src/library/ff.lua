#!lua name=ff
-- Made by `cargo xtask lua` from the files under lua/. Not to be edited.
local function globals()
  return redis, bit, cmsgpack, ipairs, math, next, pairs, pcall, string, table, tonumber, tostring, type, unpack
end
local redis, has_globals = redis, false
local bit, cmsgpack, ipairs, math, next, pairs, pcall, string, table, tonumber, tostring, type, unpack
local function take_globals()
  redis, bit, cmsgpack, ipairs, math, next, pairs, pcall, string, table, tonumber, tostring, type, unpack = globals()
  has_globals = true
end
local M, F = {}, {}
M.library = { PROTOCOL = 1, HASH = "ac785ae37588684c0fabed2da46727f5" }

M.memo = (function()
local memo = {}
local KEPT_MAX = 256
function memo.of(read)
  local kept, count = {}, 0
  return function(text)
    local found = kept[text]
    if not found then
      if count == KEPT_MAX then
        kept, count = {}, 0
      end
      found = read(text)
      kept[text], count = found, count + 1
    end
    return found
  end
end
return memo
end)()

M.number = (function()
local number = {}
number.TIME_MAX = 253402300799999
local SMALL = 256
local small = {}
local last, last_text
function number.text(value)
  local text = value == last and last_text or small[value]
  if not text then
    text = string.format("%d", value)
    if value >= 0 and value < SMALL then
      small[value] = text
    else
      last, last_text = value, text
    end
  end
  return text
end
function number.earlier(one, other)
  if not one or (other and tonumber(other) < tonumber(one)) then
    return other
  end
  return one
end
function number.later(at, ms)
  local later = at + ms
  return later < number.TIME_MAX and later or number.TIME_MAX
end
return number
end)()

M.dimensions = (function()
local memo = M.memo
local number = M.number
local dimensions = {}
local NAME_AT = 3
local DIMENSION = "^(%S+ %S+) (%d+) (%d+)$"
local bounds = memo.of(function(text)
  local soft, hard = string.match(text, "^(%S+) (%S+)$")
  return { soft = tonumber(soft), hard = tonumber(hard) }
end)
function dimensions.read(field, value)
  local text, used, reserved = string.match(value, DIMENSION)
  local ends = bounds(text)
  return {
    name = string.sub(field, NAME_AT), field = field,
    bounds = text, soft = ends.soft, hard = ends.hard, used = used + 0, reserved = reserved + 0,
  }
end
function dimensions.text(one)
  return one.bounds .. " " .. number.text(one.used) .. " " .. number.text(one.reserved)
end
function dimensions.in_order(one, other)
  return one.name < other.name
end
function dimensions.of(b, name)
  for _, one in ipairs(b.limits) do
    if one.name == name then
      return one
    end
  end
  return nil
end
function dimensions.passed(kind, b, name, limit, is, asked)
  return table.concat({
    kind, b.budget, number.text(limit), number.text(is.used), number.text(is.reserved), number.text(asked), name,
  }, " ")
end
function dimensions.bound(one, soft, hard)
  one.bounds = soft .. " " .. hard
  local ends = bounds(one.bounds)
  one.soft, one.hard = ends.soft, ends.hard
end
return dimensions
end)()

M.keys = (function()
local keys = {}
function keys.mark(partition)
  return partition .. "mark"
end
function keys.execution(partition, id)
  return partition .. "e:" .. id
end
function keys.long(partition, id)
  return partition .. "b:" .. id
end
function keys.payload(partition, id)
  return partition .. "p:" .. id
end
function keys.state(partition, id)
  return partition .. "t:" .. id
end
function keys.steps(partition, id)
  return partition .. "g:" .. id
end
function keys.frames(partition, id)
  return partition .. "s:" .. id
end
function keys.summary(partition, id)
  return partition .. "c:" .. id
end
function keys.waits(partition, id)
  return partition .. "v:" .. id
end
function keys.signals(partition, id)
  return partition .. "y:" .. id
end
function keys.seen(partition, id, waitpoint)
  return partition .. "u:" .. id .. waitpoint
end
function keys.open_waitpoints(partition)
  return partition .. "o"
end
function keys.signing_key(partition)
  return "secret:" .. partition
end
function keys.flow(partition, id)
  return partition .. "f:" .. id
end
function keys.links(partition, kind, id)
  return partition .. "j:" .. kind .. id
end
function keys.backlog(partition, kind, flow)
  return partition .. "z:" .. kind .. flow
end
function keys.log(partition)
  return partition .. "h"
end
function keys.log_readers(partition)
  return partition .. "h:"
end
function keys.child_flows(partition, id)
  return partition .. "i:" .. id
end
function keys.budget(partition, id)
  return partition .. "B:" .. id
end
function keys.budgets(partition)
  return partition .. "B"
end
function keys.schedule(partition, id)
  return partition .. "S:" .. id
end
function keys.schedules(partition)
  return partition .. "S"
end
function keys.budget_line(partition, id)
  return partition .. "W:" .. id
end
function keys.budget_aside(partition, id)
  return partition .. "V:" .. id
end
function keys.budget_shares(partition, id)
  return partition .. "X:" .. id
end
function keys.reports(partition, id)
  return partition .. "U:" .. id
end
function keys.flows(partition)
  return partition .. "f"
end
function keys.all(partition)
  return partition .. "a"
end
function keys.due(partition, tag)
  if tag then
    return partition .. "d:" .. tag
  end
  return partition .. "d"
end
function keys.queue(partition, queue, lane, class, tag)
  local name = partition .. "q:" .. queue .. ":" .. lane .. " " .. class
  if tag then
    return name .. "\t" .. tag
  end
  return name
end
function keys.lane(partition, lane, tag)
  if tag then
    return partition .. "l:" .. lane .. " " .. tag
  end
  return partition .. "l:" .. lane
end
function keys.lane_settings(partition, lane)
  return partition .. "L:" .. lane
end
function keys.steered_lanes(partition)
  return partition .. "L"
end
function keys.lane_run(partition, lane)
  return partition .. "N:" .. lane
end
function keys.lane_weights(partition, lane)
  return partition .. "M:" .. lane
end
function keys.held_by_key(partition, lane)
  return partition .. "H:" .. lane
end
function keys.key_arrivals(partition, lane)
  return partition .. "R:" .. lane
end
function keys.aside(partition, lane)
  return partition .. "P:" .. lane
end
function keys.aside_before(partition, lane)
  return partition .. "D:" .. lane
end
function keys.aside_of(partition, lane, key)
  return partition .. "Z:" .. lane .. " " .. key
end
function keys.keyed(partition, lane)
  return partition .. "A:" .. lane
end
function keys.turns(partition, queue, lane, class, tag)
  local name = partition .. "T:" .. queue .. ":" .. lane .. " " .. class
  return tag and name .. "\t" .. tag or name
end
function keys.keyed_queue(partition, queue, lane, class, tag, key)
  local name = partition .. "Q:" .. queue .. ":" .. lane .. " " .. class .. " " .. key
  return tag and name .. "\t" .. tag or name
end
function keys.offers(partition, lane)
  return partition .. "O:" .. lane
end
function keys.waiters(partition, lane)
  return partition .. "w:" .. lane
end
function keys.waited_lanes(partition)
  return partition .. "w"
end
function keys.maintainers(partition)
  return partition .. "m"
end
function keys.idempotency(partition, kind, key)
  return partition .. "k:" .. kind .. " " .. key
end
function keys.answer(partition, asked, instance, lane)
  return partition .. "r:" .. asked .. instance .. lane
end
function keys.process(partition, process)
  return partition .. "n:" .. process
end
function keys.instance(partition, instance)
  return partition .. "y:" .. instance
end
function keys.ended(partition, id)
  return partition .. "x:" .. id
end
function keys.written(partition, id)
  return partition .. "s:" .. id
end
return keys
end)()

M.changes = (function()
local changes = {}
function changes.save(r, key, set, n)
  local f, gone = r.f, nil
  set, n = set or { nil, nil, nil, nil }, n or 0
  if r.changed then
    for field in pairs(r.changed) do
      local value = f[field]
      if value then
        set[n + 1], set[n + 2], n = field, value, n + 2
      else
        gone = gone or {}
        gone[#gone + 1] = field
      end
    end
    r.changed = nil
  end
  if n > 0 then
    redis.call("HSET", key, unpack(set, 1, n))
  end
  if gone then
    redis.call("HDEL", key, unpack(gone))
  end
end
return changes
end)()

M.tags = (function()
local tags = {}
function tags.each(r, visit)
  if r.f.tg then
    for tag in string.gmatch(r.f.tg, "[^\n]+") do
      visit(tag)
    end
  end
end
function tags.has(r, wanted)
  return wanted == "" or (r.f.tg ~= nil and string.find("\n" .. r.f.tg .. "\n", "\n" .. wanted .. "\n", 1, true) ~= nil)
end
return tags
end)()

M.timers = (function()
local keys = M.keys
local number = M.number
local tags = M.tags
local timers = {}
timers.HEARTBEAT_MS = 1000
local FORGOTTEN_AFTER_MS = 5000
local MAINTAINERS_ASKED = 16
timers.EVERYBODYS = "-"
local POSTPONED_MS = 60000
function timers.sleep(partition, process, tag, at, now)
  local key = keys.maintainers(partition)
  redis.call("ZREMRANGEBYSCORE", key, "-inf", now - FORGOTTEN_AFTER_MS)
  redis.call("ZADD", key, at, process .. " " .. tag)
  redis.call("PEXPIRE", key, FORGOTTEN_AFTER_MS)
end
local function is_everybodys(r)
  return r.lane ~= nil or ((r.budget or r.schedule) ~= nil and not r.f.tg)
end
local function wake_maintainer(r, at)
  local key = keys.maintainers(r.partition)
  local asleep = redis.call("ZRANGE", key, "(" .. at, "+inf", "BYSCORE", "LIMIT", 0, MAINTAINERS_ASKED)
  for _, member in ipairs(asleep) do
    local process, tag = string.match(member, "^(%x+) (.*)$")
    if process and (tags.has(r, tag) or is_everybodys(r)) then
      redis.call("ZREM", key, member)
      if redis.call("SPUBLISH", keys.process(r.partition, process), "t") > 0 then
        return
      end
    end
  end
end
function timers.set(r, at, now)
  redis.call("ZADD", keys.due(r.partition), at, r.id)
  if r.f.tg then
    tags.each(r, function(tag)
      redis.call("ZADD", keys.due(r.partition, tag), at, r.id)
    end)
  elseif is_everybodys(r) then
    redis.call("ZADD", keys.due(r.partition, timers.EVERYBODYS), at, r.id)
  end
  if at - now < timers.HEARTBEAT_MS then
    wake_maintainer(r, at)
  end
end
function timers.remove(r)
  redis.call("ZREM", keys.due(r.partition), r.id)
  if r.f.tg then
    tags.each(r, function(tag)
      redis.call("ZREM", keys.due(r.partition, tag), r.id)
    end)
  elseif is_everybodys(r) then
    redis.call("ZREM", keys.due(r.partition, timers.EVERYBODYS), r.id)
  end
end
function timers.correct(partition, tag, id, r, now)
  redis.call("ZREM", keys.due(partition), id)
  if tag ~= "" then
    redis.call("ZREM", keys.due(partition, tag), id)
    redis.call("ZREM", keys.due(partition, timers.EVERYBODYS), id)
  end
  if r and r.due then
    timers.set(r, r.due, now)
  end
end
function timers.postpone(partition, tag, id, now, ms)
  local later = number.text(number.later(now, ms or POSTPONED_MS))
  redis.call("ZADD", keys.due(partition), "XX", later, id)
  if tag ~= "" then
    redis.call("ZADD", keys.due(partition, tag), "XX", later, id)
    redis.call("ZADD", keys.due(partition, timers.EVERYBODYS), "XX", later, id)
  end
end
return timers
end)()

M.looks = (function()
local changes = M.changes
local timers = M.timers
local looks = {}
function looks.save(r, key, name, now, set, n)
  if r.changed then
    changes.save(r, key, set, n)
  elseif n > 0 then
    redis.call("HSET", key, unpack(set, 1, n))
  end
  local at, due = r.f.la, r.due
  if at == due then
    return
  elseif at then
    r.id = r.id or name(r)
    timers.set(r, at, now)
  else
    timers.remove(r)
  end
  r.due = at
end
return looks
end)()

M.budget = (function()
local dimensions = M.dimensions
local keys = M.keys
local looks = M.looks
local memo = M.memo
local budget = {}
budget.LINE_LOOK_MS = 60000
local OTHERS_BYTES = 2
local MADE = "^(%d+) (%l) (%d+) (%d+) (%x+)$"
local made = memo.of(function(text)
  local at, action, every, anchor, fingerprint = string.match(text, MADE)
  return { at = at, action = action, every = tonumber(every), anchor = tonumber(anchor), fingerprint = fingerprint }
end)
local function due_name(b)
  return "g" .. b.budget
end
function budget.in_hand(partition, id, flat)
  local f, limits, n = { s = nil, w = nil }, { nil }, 0
  for i = 1, #flat, 2 do
    local field, value = flat[i], flat[i + 1]
    f[field] = value
    if #field > OTHERS_BYTES then
      n = n + 1
      limits[n] = dimensions.read(field, value)
    end
  end
  if n > 1 then
    table.sort(limits, dimensions.in_order)
  end
  local b = {
    partition = partition, budget = id, id = nil, f = f, due = f.la, is = made(f.s), limits = limits, changed = nil,
  }
  if f.la then
    b.id = due_name(b)
  end
  return b
end
function budget.generation(b)
  return (b.f.ge or 0) + 0
end
function budget.load(partition, id)
  local flat = redis.call("HGETALL", keys.budget(partition, id))
  return flat[1] and budget.in_hand(partition, id, flat) or nil
end
function budget.copy(b)
  local limits = {}
  for i, limit in ipairs(b.limits) do
    limits[i] = { name = limit.name, hard = limit.hard, used = limit.used, reserved = limit.reserved }
  end
  return { budget = b.budget, is = b.is, limits = limits }
end
function budget.flat(b)
  local flat = {}
  for field, value in pairs(b.f) do
    flat[#flat + 1], flat[#flat + 2] = field, value
  end
  return flat
end
function budget.save(b, now)
  local f, set, n = b.f, { nil, nil, nil, nil }, 0
  for i = 1, #b.limits do
    local limit = b.limits[i]
    local field = limit.field
    local text = dimensions.text(limit)
    if f[field] ~= text then
      f[field], set[n + 1], set[n + 2], n = text, field, text, n + 2
    end
  end
  looks.save(b, keys.budget(b.partition, b.budget), due_name, now, set, n)
end
return budget
end)()

M.drawn = (function()
local keys = M.keys
local memo = M.memo
local drawn = {}
local ID_BYTES = 32
drawn.ids = memo.of(function(text)
  local ids = {}
  for at = 1, #text, ID_BYTES do
    ids[#ids + 1] = string.sub(text, at, at + ID_BYTES - 1)
  end
  return ids
end)
function drawn.unknown(partition, text)
  for _, id in ipairs(drawn.ids(text)) do
    if redis.call("EXISTS", keys.budget(partition, id)) == 0 then
      return id
    end
  end
  return nil
end
return drawn
end)()

M.policy = (function()
local memo = M.memo
local policy = {}
local NUMBERS_AT = 18
local NUMBERS = "^(%d+) (%d+) (%d+) (%d+) (%d) (%d+) (%d+) (%d+) (%d)$"
local read = memo.of(function(text)
  local retries, reclaims, timeout, retention, exponential, base, factor, cap, jittered = string.match(text, NUMBERS)
  return {
    max_retries = tonumber(retries), max_reclaims = tonumber(reclaims),
    attempt_timeout = tonumber(timeout), retention = tonumber(retention),
    exponential = exponential == "1", base = tonumber(base), factor = tonumber(factor), cap = tonumber(cap),
    jittered = jittered == "1",
  }
end)
function policy.of(r)
  return read(string.sub(r.f.p, NUMBERS_AT))
end
return policy
end)()

M.record = (function()
local keys = M.keys
local number = M.number
local record = {}
record.SHORT_MAX_BYTES = 64
record.TOKEN = { "gi", "gx" }
local SUBMITTED = "^(%S+) (%S+) (%d+) (%S+)$"
local RUN = "^(%S+) (%d+) (%S+) (%d) (%d+) (%d+) (%d+) (%d+) (%d+) (%l)$"
local LEASE_ID_BYTES = 16
record.TERMINAL = { completed = true, failed = true, cancelled = true, expired = true, skipped = true }
local function in_hand(s, p, r)
  local ln, pr, at, kd = string.match(s, SUBMITTED)
  local st, ep, ai, ao, as, time, lt, rt, rc, en = string.match(r, RUN)
  local held, over = st == "active", record.TERMINAL[st]
  return {
    s = s, p = p, r = r, h = "",
    ln = ln, pr = pr, at = at, kd = kd,
    st = st, ep = ep, as = as, lt = lt, rt = rt, rc = rc,
    ai = ai ~= "-" and ai or nil,
    ao = ao == "1" and ao or nil,
    en = en == "c" and en or nil,
    lx = held and time or nil,
    ea = over and time or nil,
    ra = not held and not over and time or nil,
    li = nil, lw = nil,
  }
end
local function in_places(partition, id, f)
  return {
    partition = partition, id = id, f = f, queue = nil, since = nil, due = nil, over = nil, writing = nil,
    leased = nil, granted = nil, spent = nil, changed = nil, looked = nil, head = nil, followed = nil,
  }
end
local function hold(f)
  f.li, f.lw = string.sub(f.h, 1, LEASE_ID_BYTES), string.sub(f.h, LEASE_ID_BYTES + 1)
end
function record.run(r)
  local f = r.f
  local at = f.li and f.lx or f.ea or f.ra
  return f.st .. " " .. f.ep .. " " .. (f.ai or "-") .. " " .. (f.ao or "0") .. " " .. f.as .. " " .. at .. " "
    .. f.lt .. " " .. f.rt .. " " .. f.rc .. " " .. (f.en or "f")
end
local function by_name(flat)
  local found = {}
  for i = 1, #flat, 2 do
    found[flat[i]] = flat[i + 1]
  end
  return found.s, found.p, found.r
end
function record.load(partition, id)
  local flat = redis.call("HGETALL", keys.execution(partition, id))
  if #flat == 0 then
    return nil
  end
  local s, p, r, from = flat[2], flat[4], flat[6], 7
  if not (flat[1] == "s" and flat[3] == "p" and flat[5] == "r") then
    s, p, r = by_name(flat)
    from = 1
  end
  local f = in_hand(s, p, r)
  for i = from, #flat, 2 do
    f[flat[i]] = flat[i + 1]
  end
  if f.st == "active" then
    hold(f)
  end
  return in_places(partition, id, f)
end
local function part(partition, id, field)
  local kept = redis.call("HMGET", keys.execution(partition, id), "s", "r", "h", field, "nd", "dp")
  if not kept[1] then
    return nil
  end
  local f = in_hand(kept[1], nil, kept[2])
  f.h = kept[3] or ""
  if f.st == "active" then
    hold(f)
  end
  f[field], f.nd, f.dp = kept[4] or nil, kept[5] or nil, kept[6] or nil
  return f
end
function record.summary(partition, id)
  return part(partition, id, "tg")
end
function record.holder(partition, id)
  return part(partition, id, "tw")
end
function record.new(partition, id, lane, priority, kind, now)
  local at = number.text(now)
  local f = {
    s = lane .. " " .. priority .. " " .. at .. " " .. kind, h = "",
    ln = lane, pr = priority, at = at, kd = kind,
    st = "ready", ep = "0", as = "0", ra = at, lt = "0", rt = "0", rc = "0",
  }
  return in_places(partition, id, f)
end
function record.set(r, field, value)
  if r.f[field] ~= value then
    r.f[field] = value
    local changed = r.changed or {}
    changed[field], r.changed = true, changed
  end
end
function record.remove(r, fields)
  local f = r.f
  for i = 1, #fields do
    if f[fields[i]] then
      record.set(r, fields[i], nil)
    end
  end
end
function record.set_number(r, field, value)
  record.set(r, field, number.text(value))
end
function record.set_text(r, field, value)
  if value and #value > record.SHORT_MAX_BYTES then
    record.set(r, field, nil)
    record.set(r, "B", "1")
    r.long = r.long or {}
    r.long[field] = value
  else
    record.set(r, field, value)
    if r.f.B then
      r.long = r.long or {}
      r.long[field] = false
    end
  end
end
local IN_HAND = {
  ln = true, pr = true, at = true, kd = true,
  st = true, ep = true, ai = true, ao = true, as = true, lx = true, ea = true, ra = true,
  lt = true, rt = true, rc = true, en = true, li = true, lw = true,
}
function record.flat(r)
  local flat, n = {}, 0
  for field, value in pairs(r.f) do
    if not IN_HAND[field] then
      flat[n + 1], flat[n + 2], n = field, value, n + 2
    end
  end
  return flat
end
local TASK_FIELDS = { "nd", "oc", "ct", "tg", "pl", "dl", "le", "sv", "sk" }
function record.task(r)
  local f = r.f
  local flat, n = { "s", f.s, "p", f.p, "r", f.r, "h", f.h }, 8
  for i = 1, #TASK_FIELDS do
    local field = TASK_FIELDS[i]
    local value = f[field]
    if value then
      flat[n + 1], flat[n + 2], n = field, value, n + 2
    end
  end
  return flat
end
function record.payload(r)
  return r.f.pk and redis.call("GET", keys.payload(r.partition, r.id)) or ""
end
return record
end)()

M.reasons = (function()
local number = M.number
local record = M.record
local DEPENDENCIES = 1
local reasons = { DELAY = 2, BUDGET = 4, HOLD = 8 }
local UNDECIDED = { o = true, z = true }
local function stored(r)
  return (r.f.rs or 0) + 0
end
local function bits(r)
  local f = r.f
  local waits = f.dp and UNDECIDED[string.sub(f.dp, 1, 1)]
  return (f.rs or 0) + (waits and DEPENDENCIES or 0)
end
function reasons.has(r, reason)
  return stored(r) % (2 * reason) >= reason
end
function reasons.add(r, reason)
  if not reasons.has(r, reason) then
    record.set_number(r, "rs", stored(r) + reason)
  end
end
function reasons.remove(r, reason)
  if reasons.has(r, reason) then
    local rest = stored(r) - reason
    record.set(r, "rs", rest > 0 and number.text(rest) or nil)
  end
end
function reasons.has_others(r)
  local rest = bits(r)
  return rest > 0 and rest > (reasons.has(r, reasons.BUDGET) and reasons.BUDGET or 0)
end
function reasons.state(r)
  local left = bits(r)
  if left == 0 then
    return "ready"
  elseif left == reasons.DELAY then
    return "delayed"
  end
  return "blocked"
end
return reasons
end)()

M.placement = (function()
local number = M.number
local policy = M.policy
local reasons = M.reasons
local placement = {}
local RANK = 2 ^ 45
local PRIORITY_MAX = 100
function placement.queue(f)
  if f.st == "ready" and not f.gi then
    return f.en or "f"
  end
  return nil
end
function placement.score(r)
  local f = r.f
  local since = f.ra + 0
  return (PRIORITY_MAX - f.pr) * RANK + (since < RANK and since or RANK - 1)
end
function placement.read(score)
  local rank = math.floor(score / RANK)
  return rank, score - rank * RANK
end
function placement.rank_start(rank)
  return number.text(rank * RANK)
end
function placement.expires(r)
  local f = r.f
  if f.tl and not f.ai and (f.st == "ready" or (f.bo and not reasons.has_others(r))) then
    return number.earlier(f.dl, number.text(number.later(tonumber(f.ra), tonumber(f.tl))))
  end
  return f.dl
end
function placement.due(r)
  local f = r.f
  if f.ea then
    if f.nd then
      return nil
    end
    return number.text(number.later(f.ea, policy.of(r).retention))
  elseif f.li then
    return f.lx
  end
  local at = f.dl
  if f.tl then
    at = placement.expires(r)
  end
  if f.du or f.gx or f.wt then
    at = number.earlier(number.earlier(f.du, f.gx), number.earlier(f.wt, at))
  end
  return at
end
return placement
end)()

M.amounts = (function()
local memo = M.memo
local number = M.number
local amounts = {}
local NOTHING = {}
amounts.MAX = 9007199254740991
local read = memo.of(function(text)
  local found = {}
  for name, amount in string.gmatch(text, "(%S+) (%d+)") do
    found[name] = tonumber(amount)
  end
  return found
end)
function amounts.read(text)
  return text and read(text) or NOTHING
end
function amounts.names(found)
  local names = {}
  for name in pairs(found) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end
function amounts.text(found)
  local parts = {}
  for _, name in ipairs(amounts.names(found)) do
    if found[name] > 0 then
      parts[#parts + 1] = name .. " " .. number.text(found[name])
    end
  end
  return #parts > 0 and table.concat(parts, " ") or nil
end
return amounts
end)()

M.reservation = (function()
local amounts = M.amounts
local record = M.record
local reservation = {}
local NOTHING = {}
function reservation.left(f)
  local left = f.bu and (f.ao or f.gi) and (f.rv or f.es)
  return left ~= "" and left or nil
end
function reservation.set(r, left)
  if not r.f.bu then
    return
  end
  left = left or ""
  record.set(r, "rv", left ~= (r.f.es or "") and left or nil)
end
local function wanted_text(f)
  return f.ao and f.rv or f.es
end
function reservation.wanted(r)
  return amounts.read(wanted_text(r.f))
end
local function is_limited(name, budgets)
  for i = 1, #budgets do
    local b = budgets[i]
    local limits = b and b.is.action ~= "r" and b.limits or NOTHING
    for j = 1, #limits do
      if limits[j].hard and limits[j].name == name then
        return true
      end
    end
  end
  return false
end
local function limited(wanted, budgets)
  local found = {}
  for name, amount in pairs(wanted) do
    found[name] = is_limited(name, budgets) and amount or 0
  end
  return amounts.text(found)
end
function reservation.text(r, wanted, budgets)
  for name, amount in pairs(wanted) do
    if amount == 0 or not is_limited(name, budgets) then
      return limited(wanted, budgets)
    end
  end
  return wanted_text(r.f)
end
function reservation.settle(b, before, after)
  local freed = false
  if b.is.action == "r" then
    return freed
  end
  for i = 1, #b.limits do
    local limit = b.limits[i]
    local was, is = before[limit.name] or 0, after[limit.name] or 0
    limit.reserved = (limit.reserved > was and limit.reserved - was or 0) + is
    freed = freed or is < was
  end
  return freed
end
return reservation
end)()

M.share = (function()
local dimensions = M.dimensions
local memo = M.memo
local number = M.number
local record = M.record
local share = {}
share.KEPT_MS = 1000
local FRESH_MS = 10000
local FIGURE = "(%S+) (%S+) (%S+) (%d+) (%d+)"
local figures = memo.of(function(text)
  local found = {}
  for name, soft, hard, used, reserved in string.gmatch(text, FIGURE) do
    found[name] = {
      name = name, soft = tonumber(soft), hard = tonumber(hard), used = used + 0, reserved = reserved + 0,
    }
  end
  return found
end)
function share.home(b)
  return figures(b.f.fi)
end
function share.in_all(b, limit)
  local home = b.f.fi and share.home(b)[limit.name]
  if not home then
    return limit
  end
  local reserved = limit.hard and math.max(home.reserved - limit.used, 0) or home.reserved
  return { soft = home.soft, hard = home.hard, used = home.used + limit.used, reserved = reserved }
end
function share.is_fresh(b, now)
  if b.has_heard then
    return true
  end
  local age = now - (b.f.fa or 0)
  return age >= 0 and age <= FRESH_MS and (b.f.we == nil or now < tonumber(b.f.we))
end
local function keep_less(b, now)
  local at = number.later(now, share.KEPT_MS)
  if b.f.gb and b.f.gb - at > 0 then
    record.set_number(b, "gb", at)
    record.set(b, "la", number.earlier(b.f.la, b.f.gb))
  end
end
function share.note(b, now, waiting, left)
  local at = number.later(now, share.KEPT_MS)
  if left then
    keep_less(b, now)
  end
  if waiting then
    record.set_number(b, "la", now)
  elseif not b.f.gb then
    record.set_number(b, "gb", at)
    record.set(b, "la", number.earlier(b.f.la, b.f.gb))
  elseif not b.f.ut and b.f.gb - at > 0 then
    record.set_number(b, "ut", at)
    record.set(b, "la", number.earlier(b.f.la, b.f.ut))
  end
end
function share.started(b, now)
  if b.f.kp then
    record.set(b, "kp", nil)
    keep_less(b, now)
  end
end
function share.hold(limit, hard)
  dimensions.bound(limit, "-", hard and number.text(hard) or "-")
end
function share.free(b)
  local free = {}
  for _, limit in ipairs(b.limits) do
    free[limit.name] = limit.hard and math.max(limit.hard - limit.used - limit.reserved, 0) or nil
  end
  return free
end
function share.has_free(b)
  for _, unused in pairs(share.free(b)) do
    if unused > 0 then
      return true
    end
  end
  return false
end
function share.let_go(b, left)
  for _, limit in ipairs(b.limits) do
    local free = limit.hard and math.min(left[limit.name] or 0, limit.hard - limit.used - limit.reserved) or 0
    if free > 0 then
      share.hold(limit, limit.hard - free)
    end
  end
end
return share
end)()

M.window = (function()
local budget = M.budget
local number = M.number
local record = M.record
local window = {}
function window.start_at(b, now)
  return now - (now - b.is.anchor) % b.is.every
end
function window.renew(b)
  record.set_number(b, "ge", budget.generation(b) + 1)
end
function window.roll(b, now)
  if b.is.every > 0 and window.start_at(b, now) > tonumber(b.f.w) then
    record.set_number(b, "w", window.start_at(b, now))
    window.renew(b)
    for _, limit in ipairs(b.limits) do
      limit.used = 0
    end
  end
end
function window.end_of(b)
  return b.is.every > 0 and number.text(number.later(tonumber(b.f.w), b.is.every)) or nil
end
return window
end)()

M.admission = (function()
local budget = M.budget
local drawn = M.drawn
local keys = M.keys
local placement = M.placement
local reservation = M.reservation
local share = M.share
local window = M.window
local admission = {}
function admission.fits(b, wanted)
  for i = 1, #b.limits do
    local limit = b.limits[i]
    local least = wanted[limit.name] or 0
    if limit.hard and limit.hard - limit.used - limit.reserved < (least < 1 and 1 or least) then
      return false
    end
  end
  return true
end
function admission.used_up(b, wanted, now)
  local home = b.f.fi and (share.is_fresh(b, now) and share.home(b) or {})
  for _, limit in ipairs(b.limits) do
    local name, least = limit.name, math.max(wanted[limit.name] or 0, 1)
    local is = home and (home[name] or {}) or limit
    if limit.hard and is.hard and is.used + least > is.hard then
      return string.format("budget %s: %d %s asked for, %d of %d used, %d reserved",
        b.budget, least, name, is.used, is.hard, is.reserved)
    end
  end
  return nil
end
function admission.stands_behind(b, score, member)
  local first = redis.call("ZRANGE", keys.budget_line(b.partition, b.budget), 0, 0, "WITHSCORES")
  if not first[1] then
    return false
  end
  local other = first[2] + 0
  return other < score or (other == score and first[1] < member)
end
local function refused_by(r, b, wanted, now)
  if b.is.every > 0 then
    window.roll(b, now)
  end
  local stands_behind = b.f.wl and admission.stands_behind(b, placement.score(r), r.id)
  if b.is.action == "r" or not (stands_behind or not admission.fits(b, wanted)) then
    return nil
  end
  local why = admission.used_up(b, wanted, now)
  if why and b.is.action == "f" then
    return "fail", why
  end
  return "block", b.budget, why and budget.generation(b)
end
local function by_id(one, other)
  return one.budget < other.budget
end
function admission.refused(r, now)
  local ids, budgets, wanted, foreign = drawn.ids(r.f.bu), { nil }, reservation.wanted(r), nil
  r.spent.drawn = budgets
  for i = 1, #ids do
    local b = budget.load(r.partition, ids[i])
    budgets[i] = b or false
    if b and b.f.fi then
      foreign = foreign or {}
      foreign[#foreign + 1] = b
    elseif b then
      local refused, what, aside = refused_by(r, b, wanted, now)
      if refused then
        return refused, what, aside
      end
    end
  end
  if foreign then
    table.sort(foreign, by_id)
    for _, b in ipairs(foreign) do
      local refused, what, aside = refused_by(r, b, wanted, now)
      if refused then
        return refused, what, aside
      end
    end
  end
  return nil, reservation.text(r, wanted, budgets)
end
return admission
end)()

M.agenda = (function()
local keys = M.keys
local number = M.number
local timers = M.timers
local agenda = {}
local function range(key, now, most)
  return redis.call("ZRANGE", key, "-inf", now, "BYSCORE", "LIMIT", 0, most, "WITHSCORES")
end
function agenda.due(partition, tag, now, most)
  local ids, at, lists = {}, {}, { range(keys.due(partition, tag ~= "" and tag or nil), now, most) }
  lists[2] = tag ~= "" and range(keys.due(partition, timers.EVERYBODYS), now, most) or {}
  for _, list in ipairs(lists) do
    for i = 1, #list, 2 do
      ids[#ids + 1], at[list[i]] = list[i], tonumber(list[i + 1])
    end
  end
  if #lists[2] > 0 then
    table.sort(ids, function(one, other)
      return at[one] < at[other] or (at[one] == at[other] and one < other)
    end)
  end
  return ids
end
function agenda.next(partition, tag)
  local at = redis.call("ZRANGE", keys.due(partition, tag ~= "" and tag or nil), 0, 0, "WITHSCORES")[2]
  if tag == "" then
    return at
  end
  return number.earlier(at, redis.call("ZRANGE", keys.due(partition, timers.EVERYBODYS), 0, 0, "WITHSCORES")[2])
end
return agenda
end)()

M.clock = (function()
local number = M.number
local clock = {}
function clock.now_ms(_)
  local now = redis.call("TIME")
  local ms = now[1] * 1000 + now[2] / 1000
  return ms - ms % 1
end
function clock.set_until(_, key, value, ends_at)
  redis.call("SET", key, value, "PXAT", number.text(ends_at))
end
function clock.end_at(_, key, ends_at)
  redis.call("PEXPIREAT", key, number.text(ends_at))
end
function clock.purge(_, _) end
return clock
end)()

M.answers = (function()
local clock = M.clock
local keys = M.keys
local number = M.number
local answers = {}
local REQUEST_ID_BYTES = 16
local ID_BYTES = 32
local PREFIX_BYTES = 14
function answers.derived(request, index)
  return string.sub(request, 1, PREFIX_BYTES) .. string.char((index - index % 256) / 256, index % 256)
end
function answers.find(partition, asked, instance, lane, request, now)
  local answer = keys.answer(partition, asked, instance, lane)
  local found = redis.call("MGET", answer, keys.lane_settings(partition, lane))
  if not found[1] or not string.find(found[1], request, 1, true) then
    return nil, found[2] or nil
  end
  local ends_at, rest = string.match(found[1], "^(%d+) (.*)$")
  if tonumber(ends_at) <= now or string.sub(rest, 1, REQUEST_ID_BYTES) ~= request then
    return nil, found[2] or nil
  end
  local ids = {}
  for at = REQUEST_ID_BYTES + 1, #rest, ID_BYTES do
    ids[#ids + 1] = string.sub(rest, at, at + ID_BYTES - 1)
  end
  return ids
end
function answers.remember(partition, asked, instance, lane, request, ids, now, ttl)
  local ends_at = number.later(now, ttl)
  local value = number.text(ends_at) .. " " .. request .. table.concat(ids)
  clock.set_until(partition, keys.answer(partition, asked, instance, lane), value, ends_at)
end
return answers
end)()

M.arms = (function()
local keys = M.keys
local arms = {}
local PATTERN = "^(%x+) (%d+) ([fac]) ([^\t]*)\t(.*)$"
local SWEPT_MAX = 64
function arms.member(process, arm, mode, offered, tag)
  return process .. " " .. arm .. " " .. mode .. " " .. offered .. "\t" .. tag
end
function arms.add(partition, lane, member, now)
  redis.call("ZADD", keys.waiters(partition, lane), now, member)
  redis.call("SADD", keys.waited_lanes(partition), lane)
end
function arms.remove(partition, lane, member)
  local key = keys.waiters(partition, lane)
  local removed = redis.call("ZREM", key, member)
  if redis.call("EXISTS", key) == 0 then
    redis.call("SREM", keys.waited_lanes(partition), lane)
  end
  return removed == 1
end
function arms.read(member)
  local process, arm, mode, offered, tag = string.match(member, PATTERN)
  return process and { process = process, arm = arm, mode = mode, offered = offered, tag = tag, member = member }
end
function arms.fire(partition, lane, arm, id)
  arms.remove(partition, lane, arm.member)
  return redis.call("SPUBLISH", keys.process(partition, arm.process), "w " .. arm.arm .. " " .. id) > 0
end
local function listens(partition, process, listening)
  if listening[process] == nil then
    local found = redis.call("PUBSUB", "SHARDNUMSUB", keys.process(partition, process))
    listening[process] = process ~= "" and found[2] > 0
  end
  return listening[process]
end
function arms.offered(partition, lane, most, found)
  local listening, known = {}, { [""] = true }
  for _, member in ipairs(redis.call("ZRANGE", keys.waiters(partition, lane), 0, most - 1)) do
    local arm = arms.read(member)
    if arm and not known[arm.offered] and listens(partition, arm.process, listening) then
      known[arm.offered] = true
      found[#found + 1] = arm.offered
    end
  end
end
function arms.sweep(partition, lane)
  local listening = {}
  for _, member in ipairs(redis.call("ZRANDMEMBER", keys.waiters(partition, lane), SWEPT_MAX)) do
    local process = string.match(member, PATTERN) or ""
    if not listens(partition, process, listening) then
      arms.remove(partition, lane, member)
    end
  end
end
return arms
end)()

M.turns = (function()
local keys = M.keys
local turns = {}
local STRIDE = 2 ^ 20
local function step(partition, lane, key)
  local weight = key ~= "" and redis.call("HGET", keys.lane_weights(partition, lane), key)
  return math.floor(STRIDE / (weight or 1))
end
function turns.next(ring)
  return redis.call("ZRANGE", ring, 0, 0)[1]
end
function turns.next_key(ring)
  local first = redis.call("ZRANGE", ring, 0, 1)
  return first[1] ~= "" and first[1] or first[2]
end
function turns.join(partition, lane, ring, key)
  if not redis.call("ZSCORE", ring, key) then
    local first = tonumber(redis.call("ZRANGE", ring, 0, 0, "WITHSCORES")[2] or "0")
    redis.call("ZADD", ring, string.format("%d", first + step(partition, lane, key) - 1), key)
  end
end
function turns.took(partition, lane, ring, key, has_weights)
  redis.call("ZADD", ring, "XX", "INCR", has_weights and step(partition, lane, key) or STRIDE, key)
end
function turns.leave(ring, key)
  redis.call("ZREM", ring, key)
  if turns.next_key(ring) then
    return false
  end
  redis.call("DEL", ring)
  return true
end
return turns
end)()

M.keyed = (function()
local keys = M.keys
local turns = M.turns
local keyed = {}
local CAPITAL = { f = "F", c = "C" }
function keyed.ring(partition, lane, kind, class, tag)
  return {
    partition = partition, lane = lane, kind = kind, class = class, tag = tag,
    key = keys.turns(partition, kind, lane, class, tag),
  }
end
local function registered(ring)
  return keys.lane(ring.partition, ring.lane, ring.tag), CAPITAL[ring.kind] .. ring.class
end
function keyed.queue(ring, key)
  return keys.keyed_queue(ring.partition, ring.kind, ring.lane, ring.class, ring.tag, key)
end
local function ring_of(r, kind, tag)
  return keyed.ring(r.partition, r.f.ln, kind, r.f.cl or "", tag)
end
function keyed.join(ring, key)
  turns.join(ring.partition, ring.lane, ring.key, key)
  redis.call("SADD", registered(ring))
end
function keyed.leave(ring, key)
  if turns.leave(ring.key, key) then
    redis.call("SREM", registered(ring))
  end
end
function keyed.insert(r, kind, score, tag)
  local ring = ring_of(r, kind, tag)
  redis.call("ZADD", keyed.queue(ring, r.f.lk), score, r.id)
  keyed.join(ring, r.f.lk)
  if not tag then
    redis.call("ZADD", keys.keyed(r.partition, r.f.ln), r.f.ra, r.id)
  end
end
function keyed.drop(ring, key, queue, id, followed, last)
  redis.call("ZREM", queue, id)
  if last or (not followed and redis.call("EXISTS", queue) == 0) then
    keyed.leave(ring, key)
  end
  if not ring.tag then
    redis.call("ZREM", keys.keyed(ring.partition, ring.lane), id)
  end
end
function keyed.remove(r, kind, tag)
  local head = r.head
  if head and head.ring and not tag and not head.ring.tag then
    return keyed.drop(head.ring, r.f.lk, head.key, r.id, r.followed, head.last)
  end
  local ring = ring_of(r, kind, tag)
  keyed.drop(ring, r.f.lk, keyed.queue(ring, r.f.lk), r.id, r.followed and not tag)
end
return keyed
end)()

M.rate = (function()
local rate = {}
local US_PER_MS = 1000
function rate.of(limit, per, burst)
  if not tonumber(limit) then
    return nil
  end
  local interval = math.max(math.ceil(tonumber(per) * US_PER_MS / tonumber(limit)), 1)
  return { interval = interval, burst = tonumber(burst) * interval }
end
function rate.arrival(its, kept, now)
  local now_us = now * US_PER_MS
  return math.min(math.max(kept or 0, now_us), now_us + its.burst)
end
function rate.room(its, kept, now)
  return math.floor((now * US_PER_MS + its.burst - rate.arrival(its, kept, now)) / its.interval)
end
function rate.after_claim(its, kept, now)
  return rate.arrival(its, kept, now) + its.interval
end
function rate.next_at(its, kept, now)
  local at = rate.arrival(its, kept, now) + its.interval - its.burst
  return math.max(math.ceil(at / US_PER_MS), now)
end
function rate.over(now)
  return now * US_PER_MS
end
return rate
end)()

M.lanes = (function()
local changes = M.changes
local keys = M.keys
local looks = M.looks
local memo = M.memo
local number = M.number
local rate = M.rate
local record = M.record
local lanes = {}
local STEERED = 2 ^ 40
lanes.STEERED = STEERED
local SETTINGS = "^(%l) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$"
lanes.settings = memo.of(function(text)
  local state, most, rl, rp, rb, key_most, kl, kp, kb, ageing, queued, ttl = string.match(text, SETTINGS)
  return {
    text = text, state = state, most = tonumber(most), rate = rate.of(rl, rp, rb),
    key_most = tonumber(key_most), key_rate = rate.of(kl, kp, kb),
    ageing = tonumber(ageing), max_queued = tonumber(queued), ttl = tonumber(ttl) and ttl,
  }
end)
function lanes.of(partition, name, looked)
  looked.lanes = looked.lanes or {}
  if looked.lanes[name] == nil then
    local text = redis.call("GET", keys.lane_settings(partition, name))
    looked.lanes[name] = text and lanes.settings(text) or false
  end
  return looked.lanes[name]
end
function lanes.held(partition, name)
  local counts = redis.call("HMGET", keys.lane_run(partition, name), "l", "t")
  return (counts[1] or 0) % STEERED, (counts[2] or 0) + 0
end
function lanes.held_by_key(partition, name, key)
  local counts = redis.call("HMGET", keys.held_by_key(partition, name), "l" .. key, "t" .. key)
  return (counts[1] or 0) + (counts[2] or 0)
end
local function due_name(ln)
  return "l" .. ln.lane
end
local function in_hand(partition, name, is, l, t, cl, wt, ta, la)
  local ln = {
    partition = partition, lane = name, id = nil, is = is, due = la or nil, arrivals = nil,
    f = { l = l or nil, t = t or nil, cl = cl or nil, wt = wt or nil, ta = ta or nil, la = la or nil },
    handed = 0, l = 0, t = 0, changed = nil,
  }
  if la then
    ln.id = due_name(ln)
  end
  return ln
end
function lanes.open(partition, name, text)
  local kept = redis.call("HMGET", keys.lane_run(partition, name), "l", "t", "cl", "wt", "ta", "la")
  return in_hand(partition, name, lanes.settings(text), unpack(kept))
end
function lanes.open_for_claim(partition, name, text)
  local is = lanes.settings(text)
  if is.rate or is.key_rate then
    return lanes.open(partition, name, text)
  end
  local kept = redis.call("HMGET", keys.lane_run(partition, name), "l", "t", "cl", "wt")
  return in_hand(partition, name, is, unpack(kept))
end
function lanes.room(ln, now)
  local is, room = ln.is, math.huge
  if is.state == "p" then
    return 0
  elseif is.most then
    local held = (ln.f.l or 0) % STEERED + (ln.f.t or 0)
    room = held < is.most and is.most - held or 0
  end
  if is.rate and room > 0 then
    room = math.min(room, rate.room(is.rate, ln.f.ta, now))
    if room == 0 then
      return 0, rate.next_at(is.rate, ln.f.ta, now)
    end
  end
  return room
end
function lanes.key_arrival(ln, key)
  ln.arrivals = ln.arrivals or {}
  if ln.arrivals[key] == nil then
    ln.arrivals[key] = redis.call("ZSCORE", keys.key_arrivals(ln.partition, ln.lane), key)
  end
  return ln.arrivals[key] or nil
end
function lanes.key_barrier(ln, key, now)
  local is = ln.is
  if is.key_most and lanes.held_by_key(ln.partition, ln.lane, key) >= is.key_most then
    return "f"
  elseif is.key_rate then
    local kept = lanes.key_arrival(ln, key)
    if rate.room(is.key_rate, kept, now) == 0 then
      lanes.set_arrival(ln, key, rate.arrival(is.key_rate, kept, now))
      return rate.next_at(is.key_rate, kept, now)
    end
  end
  return nil
end
function lanes.horizon(ln, now)
  local longest = 0
  for _, its in ipairs({ ln.is.rate or false, ln.is.key_rate or false }) do
    longest = math.max(longest, its and its.burst or 0)
  end
  return longest > 0 and now + math.ceil(longest / 1000) or nil
end
function lanes.set_arrival(ln, key, at)
  ln.arrivals[key] = number.text(at)
  redis.call("ZADD", keys.key_arrivals(ln.partition, ln.lane), ln.arrivals[key], key)
end
function lanes.look_by(ln, at)
  record.set(ln, "la", number.earlier(ln.f.la, number.text(at)))
end
function lanes.looks_on(ln)
  local place = redis.call("HGET", keys.lane_run(ln.partition, ln.lane), "ls")
  if place then
    ln.f.ls = place
    record.set(ln, "ls", nil)
  end
  return place or nil
end
function lanes.look_on(ln, place, now)
  record.set(ln, "ls", place)
  record.set_number(ln, "la", now)
end
local function save_handed(ln, key)
  local f = ln.f
  f.cl, f.l = (f.cl or 0) + ln.handed, (f.l or 0) + ln.l
  ln.handed, ln.l, ln.t = 0, 0, 0
  local claimed = number.text(f.cl)
  if ln.changed then
    changes.save(ln, key, { "cl", claimed, "l", f.l, nil, nil }, 4)
  else
    redis.call("HSET", key, "cl", claimed, "l", f.l)
  end
end
function lanes.save(ln, now)
  local key = keys.lane_run(ln.partition, ln.lane)
  if ln.handed > 0 then
    save_handed(ln, key)
  end
  looks.save(ln, key, due_name, now, nil, 0)
end
return lanes
end)()

M.aside = (function()
local keyed = M.keyed
local keys = M.keys
local lanes = M.lanes
local number = M.number
local aside = {}
local RINGS_MAX = 1024
function aside.put(ln, ring, key, barrier)
  keyed.leave(ring, key)
  local parked = keys.aside(ln.partition, ln.lane)
  redis.call("ZADD", parked, barrier == "f" and "+inf" or barrier, key)
  redis.call("ZREM", keys.aside_before(ln.partition, ln.lane), key)
  local entry = ring.kind .. ring.class .. (ring.tag and "\t" .. ring.tag or "")
  redis.call("SADD", keys.aside_of(ln.partition, ln.lane, key), entry)
  if barrier ~= "f" then
    lanes.look_by(ln, barrier)
  end
end
function aside.waits_for_time(ln, key, now)
  local _, at = lanes.room(ln, now)
  if at or not key or not ln.is.key_rate then
    return at ~= nil
  end
  local until_when = redis.call("ZSCORE", keys.aside(ln.partition, ln.lane), key)
  return until_when and until_when ~= "inf" and until_when - now > 0
end
function aside.put_back(partition, name, key)
  redis.call("ZREM", keys.aside(partition, name), key)
  redis.call("ZREM", keys.aside_before(partition, name), key)
  local rings = keys.aside_of(partition, name, key)
  local entries = redis.call("SPOP", rings, RINGS_MAX)
  for _, entry in ipairs(entries) do
    local class, tag = string.match(entry, "^.([^\t]*)\t?(.*)$")
    local ring = keyed.ring(partition, name, string.sub(entry, 1, 1), class, tag ~= "" and tag or nil)
    if redis.call("EXISTS", keyed.queue(ring, key)) == 1 then
      keyed.join(ring, key)
    end
  end
  local more = #entries == RINGS_MAX and redis.call("EXISTS", rings) == 1
  if more then
    redis.call("ZADD", keys.aside_before(partition, name), 0, key)
  end
  return more
end
function aside.lease_ended(partition, name, key)
  local until_when = redis.call("ZSCORE", keys.aside(partition, name), key)
  return until_when == "inf" and aside.put_back(partition, name, key)
end
function aside.doubt(partition, name)
  local parked, before = keys.aside(partition, name), keys.aside_before(partition, name)
  if redis.call("EXISTS", before) == 1 then
    redis.call("ZUNIONSTORE", before, 2, before, parked)
    redis.call("DEL", parked)
  elseif redis.call("EXISTS", parked) == 1 then
    redis.call("RENAME", parked, before)
  end
end
function aside.count(partition, name)
  return redis.call("ZCARD", keys.aside(partition, name)) + redis.call("ZCARD", keys.aside_before(partition, name))
end
function aside.put_back_due(ln, most, now)
  local parked, due = keys.aside(ln.partition, ln.lane), {}
  local function add(key, from, to)
    if #due <= most then
      local some = redis.call("ZRANGE", key, from, to, "BYSCORE", "LIMIT", 0, most + 1 - #due)
      for _, one in ipairs(some) do
        due[#due + 1] = one
      end
    end
  end
  add(keys.aside_before(ln.partition, ln.lane), "-inf", "+inf")
  add(parked, "-inf", number.text(now))
  local horizon = lanes.horizon(ln, now)
  if horizon then
    add(parked, "(" .. number.text(horizon), "(+inf")
  end
  local more = #due > most
  for at = 1, math.min(#due, most) do
    more = aside.put_back(ln.partition, ln.lane, due[at]) or more
  end
  local later = redis.call("ZRANGE", parked, 0, 0, "WITHSCORES")[2]
  return more, later ~= "inf" and later or nil
end
return aside
end)()

M.chunks = (function()
local chunks = {}
local MOST = 1000
local function each(call, key, values)
  for from = 1, #values, MOST do
    call(key, unpack(values, from, math.min(from + MOST - 1, #values)))
  end
end
local function set_fields(key, ...)
  redis.call("HSET", key, ...)
end
local function delete_fields(key, ...)
  redis.call("HDEL", key, ...)
end
local function append(key, ...)
  redis.call("RPUSH", key, ...)
end
local function remove_members(key, ...)
  redis.call("ZREM", key, ...)
end
function chunks.set_fields(key, values)
  each(set_fields, key, values)
end
function chunks.delete_fields(key, names)
  each(delete_fields, key, names)
end
function chunks.push(key, values)
  each(append, key, values)
end
function chunks.remove_members(key, members)
  each(remove_members, key, members)
end
return chunks
end)()

M.backlog = (function()
local chunks = M.chunks
local keys = M.keys
local number = M.number
local record = M.record
local backlog = {}
local AHEAD = 32
local NONE = {}
local STEP = "^(%l) (%d+) (%d+) (%d+) ?(%S*) ?(.*)$"
function backlog.is_stored(fl, kind)
  return fl.f.bl ~= nil and string.find(fl.f.bl, kind, 1, true) ~= nil
end
function backlog.of(fl, kind)
  if fl.f.bl and backlog.is_stored(fl, kind) then
    return { fl = fl, kind = kind, steps = {}, at = 1, stored = true, taken = 0, ahead = NONE, next = 1 }
  end
  return { fl = fl, kind = kind, steps = {}, at = 1, stored = false, taken = 0 }
end
local function key_of(list)
  return keys.backlog(list.fl.partition, list.kind, list.fl.flow)
end
function backlog.step(letter, index, at, total, rest, few)
  return { letter = letter, index = index, at = at, total = total, rest = rest or "", few = few }
end
local function text(step)
  local start = step.letter .. " " .. step.index .. " " .. number.text(step.at) .. " " .. number.text(step.total)
  return start .. " " .. step.rest .. (step.few and " " .. step.few or "")
end
local function read(stored)
  local letter, index, at, total, rest, few = string.match(stored, STEP)
  return backlog.step(letter, index, at + 0, total + 0, rest, few ~= "" and few or nil)
end
function backlog.push(list, step)
  list.steps[#list.steps + 1] = step
end
local function front_of_stored(list)
  local first = list.ahead[list.next]
  if not first then
    list.ahead = redis.call("LRANGE", key_of(list), list.taken, list.taken + AHEAD - 1)
    list.next, first = 1, list.ahead[1]
  end
  if type(first) == "string" and list.kind ~= "s" then
    first = read(first)
    list.ahead[list.next] = first
  end
  list.stored = first ~= nil
  return first
end
function backlog.front(list)
  return list.stored and front_of_stored(list) or list.steps[list.at]
end
function backlog.replace(list, step)
  if list.stored then
    list.ahead[list.next], list.replaced = step, step
  else
    list.steps[list.at] = step
  end
end
function backlog.drop(list)
  if list.stored then
    list.taken, list.next, list.replaced = list.taken + 1, list.next + 1, nil
  else
    list.at = list.at + 1
  end
end
local function store(list)
  if list.taken > 0 then
    redis.call("LTRIM", key_of(list), list.taken, -1)
  end
  if list.replaced then
    redis.call("LSET", key_of(list), 0, text(list.replaced))
  end
  local texts, first = {}, list.at
  for at = first, #list.steps do
    texts[at - first + 1] = text(list.steps[at])
  end
  chunks.push(key_of(list), texts)
end
function backlog.keep(fl, lists)
  local kinds = ""
  for i = 1, #lists do
    if backlog.front(lists[i]) then
      kinds = kinds .. lists[i].kind
      store(lists[i])
    elseif lists[i].taken > 0 then
      redis.call("DEL", key_of(lists[i]))
    end
  end
  record.set(fl, "bl", kinds ~= "" and kinds or nil)
  return kinds ~= ""
end
return backlog
end)()

M.member = (function()
local member = {}
local NODE = "^(%x+) (%d+) (%l) (%d+) (%l) (%S+)$"
local LOW = 2 ^ 20
local STEP = 648055
function member.node(r)
  if not r.node then
    local flow, index, join, quorum, rest, key = string.match(r.f.nd, NODE)
    r.node = { flow = flow, index = index, join = join, quorum = quorum + 0, rest = rest, key = key }
  end
  return r.node
end
function member.id(flow, index)
  local low = (tonumber(string.sub(flow, -5), 16) + index * STEP) % LOW
  local ordinal, tail = string.format("%04x", index), string.format("%05x", low)
  return string.sub(flow, 1, 12) .. ordinal .. string.sub(flow, 17, 27) .. tail
end
return member
end)()

M.flow = (function()
local changes = M.changes
local keys = M.keys
local member = M.member
local number = M.number
local record = M.record
local timers = M.timers
local flow = {}
local SUBMITTED = "^(%d+) (%l) (%d+) (%x+)$"
local STANDING = "^(%l+) (%d+) (%d+) (%d+) (%d+) (%d+)$"
local CANCEL = "^(%l) (%l) (%d+) (.*)$"
function flow.due_name(id)
  return "f" .. id
end
local function in_hand(partition, id, flat)
  local f = {}
  for i = 1, #flat, 2 do
    f[flat[i]] = flat[i + 1]
  end
  local at, policy, retention, fingerprint = string.match(f.s, SUBMITTED)
  local state, revision, nodes, edges, open, unhandled = string.match(f.c, STANDING)
  return {
    partition = partition, flow = id, id = flow.due_name(id), f = f,
    at = at, policy = policy, retention = retention + 0, fingerprint = fingerprint,
    state = state, revision = revision + 0, nodes = nodes + 0, edges = edges + 0,
    open = open + 0, unhandled = unhandled + 0,
  }
end
function flow.load(partition, id)
  local flat = redis.call("HGETALL", keys.flow(partition, id))
  if #flat == 0 then
    return nil
  end
  local fl = in_hand(partition, id, flat)
  fl.due = flow.due(fl)
  return fl
end
function flow.new(partition, id, submitted, standing)
  return in_hand(partition, id, { "s", submitted, "c", standing })
end
function flow.is_seen(state)
  return state ~= "staged" and state ~= "removing"
end
function flow.open(partition, id)
  local fl = flow.load(partition, id)
  return fl and flow.is_seen(fl.state) and fl or nil
end
function flow.cancel(fl)
  if fl.f.ca then
    return string.match(fl.f.ca, CANCEL)
  end
  return nil
end
function flow.due(fl)
  local f, at = fl.f, nil
  if not (f.ea or f.dl or f.lf or f.sg) then
    return nil
  elseif f.ea then
    at = number.text(number.later(f.ea, fl.retention))
  elseif flow.is_seen(fl.state) then
    local _, policy = flow.cancel(fl)
    at = policy ~= "a" and f.dl or nil
  end
  return number.earlier(number.earlier(at, f.lf), f.sg)
end
function flow.flat(fl)
  local flat = {}
  for field, value in pairs(fl.f) do
    flat[#flat + 1], flat[#flat + 2] = field, value
  end
  return flat
end
function flow.hides(r)
  if string.sub(r.f.dp, 1, 1) ~= "z" then
    return false
  end
  local node = member.node(r)
  local standing = redis.call("HGET", keys.flow(r.partition, node.flow), "c")
  local state, _, nodes = string.match(standing or "", STANDING)
  return not state or not flow.is_seen(state) or tonumber(node.index) >= tonumber(nodes)
end
function flow.cancel_of(r)
  local kept = redis.call("HMGET", keys.flow(r.partition, member.node(r).flow), "ca", "ea")
  if kept[1] and not kept[2] then
    local _, _, at, reason = string.match(kept[1], CANCEL)
    return tonumber(at), reason
  end
  return nil
end
function flow.save(fl, now)
  record.set(fl, "c", fl.state .. " " .. number.text(fl.revision) .. " " .. number.text(fl.nodes) .. " "
    .. number.text(fl.edges) .. " " .. number.text(fl.open) .. " " .. number.text(fl.unhandled))
  if fl.changed then
    changes.save(fl, keys.flow(fl.partition, fl.flow))
  end
  local due = flow.due(fl)
  if due and due ~= fl.due then
    timers.set(fl, due, now)
  elseif fl.due and not due then
    timers.remove(fl)
  end
  fl.due = due
end
return flow
end)()

M.joins = (function()
local member = M.member
local memo = M.memo
local number = M.number
local record = M.record
local joins = {}
local COUNTS = "^(%l) (%d+) (%d+) (%d+) (%d+) (%d)$"
local read = memo.of(function(text)
  local decision, total, satisfied, impossible, failed, unhandled = string.match(text, COUNTS)
  local staged = decision == "z"
  return {
    decision = staged and "o" or decision, staged = staged or nil,
    total = tonumber(total), satisfied = tonumber(satisfied), impossible = tonumber(impossible),
    failed = tonumber(failed), unhandled = unhandled == "1",
  }
end)
local FAILURES = { failed = true, cancelled = true, expired = true }
function joins.is_failure(state)
  return FAILURES[state] == true
end
function joins.of(r)
  if not r.deps then
    local its = read(r.f.dp)
    r.deps = {
      decision = its.decision, staged = its.staged, total = its.total, satisfied = its.satisfied,
      impossible = its.impossible, failed = its.failed, unhandled = its.unhandled,
    }
  end
  return r.deps
end
function joins.keep(r)
  local d = r.deps
  record.set(r, "dp", d.decision .. " " .. number.text(d.total) .. " " .. number.text(d.satisfied) .. " "
    .. number.text(d.impossible) .. " " .. number.text(d.failed) .. (d.unhandled and " 1" or " 0"))
end
function joins.takes(r, condition)
  return condition == "f" or (condition == "s" and member.node(r).join ~= "a")
end
local function is_met(condition, state)
  if condition == "s" then
    return state == "completed"
  end
  return condition == "a" or joins.is_failure(state)
end
function joins.count(r, condition, state, by)
  local d = joins.of(r)
  if is_met(condition, state) then
    d.satisfied = d.satisfied + by
  else
    d.impossible = d.impossible + by
  end
  if joins.is_failure(state) and joins.takes(r, condition) then
    d.failed = d.failed + by
  end
end
function joins.decided(r)
  local d, node = joins.of(r), member.node(r)
  local needed = node.join == "a" and d.total or node.join == "y" and 1 or node.quorum
  if d.total == 0 or d.satisfied >= needed then
    return "f"
  elseif d.total - d.impossible < needed then
    return "s"
  end
  return "o"
end
function joins.close(r)
  if r.f.dp then
    local d = joins.of(r)
    if d.decision == "o" then
      d.decision = "c"
      joins.keep(r)
    end
  end
end
return joins
end)()

M.kept = (function()
local keys = M.keys
local number = M.number
local record = M.record
local kept = {}
local STEPS_MAX = 256
local RESULTS_MAX_BYTES = 4194304
local REPORTS_MAX = 10000
local function pending(r)
  r.kept = r.kept or {}
  return r.kept
end
function kept.set_state(r, state)
  local is_long = state ~= nil and #state > record.SHORT_MAX_BYTES
  if r.f.sk or is_long then
    pending(r).state = is_long and state or false
  end
  record.set(r, "sk", is_long and "1" or nil)
  record.set(r, "sv", not is_long and state or nil)
end
function kept.long_state(r)
  return r.f.sk and redis.call("GET", keys.state(r.partition, r.id)) or ""
end
local function totals(r)
  local count, bytes = string.match(r.f.sn or "0 0", "^(%d+) (%d+)$")
  return tonumber(count), tonumber(bytes)
end
function kept.step(r, name)
  local step = r.f.sn and redis.call("HGET", keys.steps(r.partition, r.id), name)
  if not step then
    return nil
  end
  local length, at = string.match(step, "^%d+ %d+ %d+ (%d+) ()")
  return string.sub(step, at, at + length - 1), string.sub(step, at + length)
end
function kept.add_step(r, name, content_type, result, now)
  local count, bytes = totals(r)
  if count + 1 > STEPS_MAX then
    return "STEPS", count + 1
  elseif bytes + #result > RESULTS_MAX_BYTES then
    return "STEP_RESULTS", bytes + #result
  end
  record.set(r, "sn", number.text(count + 1) .. " " .. number.text(bytes + #result))
  local head = number.text(count) .. " " .. r.f.ai .. " " .. number.text(now) .. " " .. #content_type .. " "
  pending(r).step = { name, head .. content_type .. result }
  return nil
end
function kept.is_reported(r, key)
  return r.f.ru ~= nil and redis.call("ZSCORE", keys.reports(r.partition, r.id), key) ~= false
end
function kept.add_report(r, key)
  record.set_number(r, "ru", tonumber(r.f.ru or "0") + 1)
  pending(r).report = key
end
function kept.finish(r)
  if r.f.sk or r.f.sv then
    kept.set_state(r, nil)
  end
  if r.f.sn then
    record.set(r, "sn", nil)
    pending(r).no_steps = true
  end
  if r.f.ru then
    record.set(r, "ru", nil)
    pending(r).no_reports = true
  end
end
function kept.save(r)
  local changes = r.kept
  r.kept = nil
  if changes.state then
    redis.call("SET", keys.state(r.partition, r.id), changes.state)
  elseif changes.state == false then
    redis.call("DEL", keys.state(r.partition, r.id))
  end
  if changes.step then
    redis.call("HSET", keys.steps(r.partition, r.id), changes.step[1], changes.step[2])
  end
  if changes.no_steps then
    redis.call("DEL", keys.steps(r.partition, r.id))
  end
  if changes.report then
    local reports = keys.reports(r.partition, r.id)
    redis.call("ZADD", reports, r.f.ru, changes.report)
    if tonumber(r.f.ru) > REPORTS_MAX then
      redis.call("ZREMRANGEBYRANK", reports, 0, -REPORTS_MAX - 1)
    end
  end
  if changes.no_reports then
    redis.call("DEL", keys.reports(r.partition, r.id))
  end
end
return kept
end)()

M.waits_text = (function()
local waits_text = {}
local WAITPOINT = "^(%d+) (%l) (%d+) (%d+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$"
local SUSPENSION = "^(%d+) (%d+) (%S+) (%l) (%S+)$"
local function given(text)
  return text ~= "-" and text or nil
end
local function waitpoint(id, text, matcher)
  local p = { id = id, matcher = matcher or "", kept = {} }
  local seq
  seq, p.state, p.created, p.expires, p.kid, p.epoch, p.place, p.closer, p.kind, p.key = string.match(text, WAITPOINT)
  p.seq = tonumber(seq)
  p.epoch, p.place, p.closer, p.kind = given(p.epoch), given(p.place), given(p.closer), given(p.kind)
  return p
end
local function signal(order, text)
  local s = { order = tonumber(order) }
  s.waitpoint, s.id, s.at, s.source = string.match(text, "^(%x+) (%x+) (%d+) (.*)$")
  return s
end
local function groups_of(text)
  local groups = {}
  for n, distinct, places in string.gmatch(text, "(%d+)(%l):([%d,]*)") do
    local group = { n = tonumber(n), distinct = distinct, places = {} }
    for place in string.gmatch(places, "%d+") do
      group.places[#group.places + 1] = place
    end
    groups[#groups + 1] = group
  end
  return groups
end
function waits_text.suspension(text)
  local s = { text = text }
  local timeout, groups
  s.epoch, s.since, timeout, s.behavior, groups = string.match(text, SUSPENSION)
  s.timeout, s.groups = given(timeout), groups_of(groups)
  return s
end
local function by_seq(one, other)
  return one.seq < other.seq
end
local function by_order(one, other)
  return one.order < other.order
end
local function take(w, field, value, kept, ended)
  local kind, rest = string.sub(field, 1, 1), string.sub(field, 2)
  if kind == "w" then
    local p = waitpoint(rest, value, w.was["m" .. rest])
    w.all[#w.all + 1] = p
    w.known[rest] = p
  elseif kind == "k" then
    kept[#kept + 1] = signal(rest, value)
  elseif kind == "z" and rest ~= "" then
    ended[#ended + 1] = signal(rest, value)
  end
end
function waits_text.read(w, flat)
  for i = 1, #flat, 2 do
    w.was[flat[i]] = flat[i + 1]
  end
  local kept, ended = {}, {}
  for field, value in pairs(w.was) do
    take(w, field, value, kept, ended)
  end
  table.sort(w.all, by_seq)
  table.sort(kept, by_order)
  table.sort(ended, by_order)
  for _, s in ipairs(kept) do
    local p = w.known[s.waitpoint]
    p.kept[#p.kept + 1] = s
  end
  local made, accepted = string.match(w.was.n, "^(%d+) (%d+)$")
  w.made, w.accepted = tonumber(made), tonumber(accepted)
  w.suspension = w.was.c and waits_text.suspension(w.was.c)
  w.satisfied = w.was.t
  w.resumed = w.was.z and { how = w.was.z, of = w.was.q, signals = ended }
end
return waits_text
end)()

M.waits = (function()
local keys = M.keys
local number = M.number
local record = M.record
local waits_text = M.waits_text
local waits = {}
function waits.of(r)
  if not r.waits then
    r.waits = { made = 0, accepted = 0, all = {}, known = {}, was = {}, bodies = {}, seen = {}, forgotten = {} }
    if r.f.wv then
      waits_text.read(r.waits, redis.call("HGETALL", keys.waits(r.partition, r.id)))
    end
  end
  return r.waits
end
function waits.close(p)
  if p.state == "p" then
    p.kept = {}
  end
  p.state = "c"
end
function waits.close_expired(w, state, now)
  for _, p in ipairs(w.all) do
    if p.state == state and tonumber(p.expires) <= now then
      waits.close(p)
    end
  end
end
function waits.forget(w, at)
  local p = table.remove(w.all, at)
  w.known[p.id] = nil
  w.forgotten[#w.forgotten + 1] = p.id
end
function waits.forget_all(r)
  local w = waits.of(r)
  for at = #w.all, 1, -1 do
    waits.forget(w, at)
  end
  w.suspension, w.resumed, w.satisfied, w.made, w.accepted = nil, nil, nil, 0, 0
end
function waits.suspended_keys(w)
  local keyed, count = {}, 0
  for _, p in ipairs(w.all) do
    if p.epoch == w.suspension.epoch then
      keyed[tonumber(p.place) + 1] = p.key
      count = count + 1
    end
  end
  return table.concat(keyed, ",", 1, count)
end
function waits.end_suspension(w)
  for _, p in ipairs(w.all) do
    if w.suspension and p.epoch == w.suspension.epoch then
      waits.close(p)
      p.kept = {}
    end
  end
  w.suspension = nil
end
function waits.finish(r)
  if r.f.wv or r.waits then
    local w = waits.of(r)
    w.suspension, w.resumed, w.satisfied = nil, nil, nil
    for _, p in ipairs(w.all) do
      waits.close(p)
      p.kept = {}
    end
  end
end
local function due(w)
  local at = w.suspension.timeout
  for _, p in ipairs(w.all) do
    if p.state == "a" then
      at = number.earlier(at, p.expires)
    end
  end
  return at
end
function waits.settle(r)
  local w = r.waits
  record.set(r, "wv", (#w.all > 0 or w.resumed) and "1" or nil)
  record.set(r, "wt", w.suspension and due(w) or nil)
end
return waits
end)()

M.run = (function()
local joins = M.joins
local kept = M.kept
local number = M.number
local placement = M.placement
local reasons = M.reasons
local record = M.record
local waits = M.waits
local run = {}
local OF_OPEN = { "rs", "du", "gi", "gx", "of", "bo", "ba", "rv", "cf", "cw" }
local OF_SKIPPED = { "gi", "gx", "of", "bo", "ba", "rv", "cf", "cw" }
function run.close_attempt(r)
  r.f.ao = nil
  record.set(r, "rv", nil)
end
function run.await_turn(r, entry, ready_at)
  r.f.en = entry
  r.f.ra = number.text(ready_at)
  record.remove(r, record.TOKEN)
  r.f.st = reasons.state(r)
end
function run.delay(r, at, now)
  if at > now then
    reasons.add(r, reasons.DELAY)
    record.set_number(r, "du", at)
    return at
  end
  return now
end
function run.end_delay(r)
  reasons.remove(r, reasons.DELAY)
  record.set(r, "du", nil)
end
function run.finish(r, state, now)
  r.f.st, r.f.ao = state, nil
  if r.f.cf then
    r.forsakes = true
  end
  if state == "skipped" then
    reasons.remove(r, reasons.BUDGET)
    record.remove(r, OF_SKIPPED)
  else
    record.remove(r, OF_OPEN)
  end
  waits.finish(r)
  kept.finish(r)
  joins.close(r)
  r.f.ea = number.text(now)
end
function run.missed_deadline(r, now)
  return r.f.dl ~= nil and tonumber(r.f.dl) <= now
end
function run.open_again(r, now)
  r.f.ea = nil
  if run.missed_deadline(r, now) then
    record.set(r, "dl", nil)
  end
  if r.f.du and tonumber(r.f.du) <= now then
    run.end_delay(r)
  end
  return r.f.du and tonumber(r.f.du) or now
end
function run.has_expired(r, now)
  local at = placement.expires(r)
  return at ~= nil and tonumber(at) <= now
end
function run.is_over(r)
  return r.f.ea ~= nil
end
function run.mark_cancelled(r, reason, now)
  if not r.f.ca then
    run.set_cancelled(r, reason, now)
  end
end
function run.set_cancelled(r, reason, now)
  record.set_number(r, "ca", now)
  record.set_text(r, "cr", reason)
end
function run.record_failure(r, class, message, detail, now)
  record.set(r, "fc", class)
  record.set(r, "fa", r.f.ai or "0")
  record.set(r, "ft", number.text(now))
  record.set_text(r, "fm", message)
  record.set_text(r, "fd", detail)
end
return run
end)()

M.barrier = (function()
local flow = M.flow
local record = M.record
local run = M.run
local barrier = {}
function barrier.ends(r, now)
  if run.has_expired(r, now) then
    run.finish(r, "expired", now)
    return true
  elseif not r.f.nd or r.f.ao then
    return false
  end
  local at, reason = flow.cancel_of(r)
  if at then
    run.mark_cancelled(r, reason, at)
    run.finish(r, "cancelled", now)
  end
  return at ~= nil
end
function barrier.hear_of(r)
  if r.f.nd and not r.f.ca then
    local at, reason = flow.cancel_of(r)
    if at then
      record.set_number(r, "ca", at)
      record.set_text(r, "cr", reason)
    end
  end
end
return barrier
end)()

M.breach = (function()
local number = M.number
local reasons = M.reasons
local record = M.record
local run = M.run
local breach = {}
function breach.block(r, id, aside)
  reasons.add(r, reasons.BUDGET)
  record.set(r, "bo", id)
  record.set(r, "ba", aside and number.text(aside) or nil)
  r.f.st = reasons.state(r)
end
function breach.fail(r, why, now)
  run.record_failure(r, "permanent", why, nil, now)
  run.finish(r, "failed", now)
end
return breach
end)()

M.packed = (function()
local packed = {}
function packed.read(text)
  return text ~= "" and cmsgpack.unpack(text) or {}
end
return packed
end)()

M.shares = (function()
local keys = M.keys
local packed = M.packed
local record = M.record
local shares = {}
local ENTRY = "^@(%d+)$"
shares.RECALLED = "r"
local FIELDS = {
  "number", "granted", "settled", "held", "news", "least", "all", "free", "waiting", "in_line", "told", "contended",
}
local function unpacked(text)
  local one, values = {}, packed.read(text)
  for at, field in ipairs(FIELDS) do
    one[field] = values[at] or ""
  end
  return one
end
function shares.load(b, name)
  local one = unpacked(redis.call("HGET", keys.budget_shares(b.partition, b.budget), name) or "")
  one.name, one.number = name, one.number ~= "" and one.number or "0"
  return one
end
function shares.save(b, one)
  local values = {}
  for at, field in ipairs(FIELDS) do
    values[at] = one[field]
  end
  record.set(b, "sh", "1")
  redis.call("HSET", keys.budget_shares(b.partition, b.budget), one.name, cmsgpack.pack(values))
end
function shares.each(b, each)
  local flat = b.f.sh and redis.call("HGETALL", keys.budget_shares(b.partition, b.budget)) or {}
  for at = 1, #flat, 2 do
    local one = unpacked(flat[at + 1])
    one.name = flat[at]
    each(one)
  end
end
function shares.in_line(b, entry)
  local name = string.match(entry, ENTRY)
  return name and shares.load(b, name)
end
function shares.entry(one)
  return "@" .. one.name
end
function shares.waiting(b)
  local line, aside = keys.budget_line(b.partition, b.budget), keys.budget_aside(b.partition, b.budget)
  local count = redis.call("ZCARD", line) + redis.call("ZCARD", aside)
  shares.each(b, function(one)
    count = count + one.waiting - (one.in_line ~= "" and 1 or 0)
  end)
  return count
end
function shares.others_wait(b, one)
  local count = b.f.wl and redis.call("ZCARD", keys.budget_line(b.partition, b.budget)) or 0
  return count > (one.in_line ~= "" and 1 or 0)
end
function shares.names(b)
  local names = {}
  shares.each(b, function(one)
    names[#names + 1] = one.name
  end)
  return table.concat(names, " ")
end
return shares
end)()

M.share_news = (function()
local budget = M.budget
local keys = M.keys
local record = M.record
local shares = M.shares
local share_news = {}
local RECALLED_MAX = 32
function share_news.has(b, name)
  return b.f.nw and string.find(" " .. b.f.nw .. " ", " " .. name .. " ", 1, true) ~= nil
end
function share_news.tell(b, name)
  if not share_news.has(b, name) then
    record.set(b, "nw", (b.f.nw and b.f.nw .. " " or "") .. name)
  end
end
function share_news.tell_all(b)
  shares.each(b, function(one)
    share_news.tell(b, one.name)
  end)
  return b.f.nw ~= nil
end
function share_news.tell_those_aside(b)
  if not b.f.sa then
    return
  end
  record.set(b, "sa", nil)
  shares.each(b, function(one)
    if one.told ~= "" then
      record.set(b, "sa", "1")
      if one.told + 0 < budget.generation(b) then
        share_news.tell(b, one.name)
      end
    end
  end)
end
function share_news.line_begins(b, now)
  if not b.f.sh or redis.call("ZCARD", keys.budget_line(b.partition, b.budget)) > 1 then
    return
  end
  shares.each(b, function(one)
    if one.held ~= "" and one.contended ~= "1" then
      share_news.tell(b, one.name)
      record.set_number(b, "la", now)
    end
  end)
end
function share_news.recall(b, name)
  local names = {}
  shares.each(b, function(other)
    if other.name ~= name and other.held ~= "" and #names < RECALLED_MAX then
      other.contended = shares.RECALLED
      shares.save(b, other)
      names[#names + 1] = other.name
    end
  end)
  return table.concat(names, " ")
end
function share_news.heard(b, name)
  if share_news.has(b, name) then
    local names = {}
    for other in string.gmatch(b.f.nw, "%d+") do
      if other ~= name then
        names[#names + 1] = other
      end
    end
    record.set(b, "nw", names[1] and table.concat(names, " "))
  end
end
return share_news
end)()

M.granting = (function()
local admission = M.admission
local amounts = M.amounts
local budget = M.budget
local keys = M.keys
local number = M.number
local share_news = M.share_news
local shares = M.shares
local granting = {}
function granting.sum(one, other)
  local total = {}
  for _, found in ipairs({ amounts.read(one), amounts.read(other) }) do
    for name, amount in pairs(found) do
      total[name] = (total[name] or 0) + amount
    end
  end
  return amounts.text(total) or ""
end
function granting.reserve(b, before, after)
  local was, is, freed = amounts.read(before), amounts.read(after), false
  for _, limit in ipairs(b.limits) do
    local had, has = was[limit.name] or 0, is[limit.name] or 0
    limit.reserved = math.max(limit.reserved - had, 0) + has
    freed = freed or has < had
  end
  return freed
end
function granting.room_for(b, one, others_wait)
  local least, free = amounts.read(one.least), amounts.read(one.free)
  local all = others_wait and least or amounts.read(one.all)
  local grants = {}
  for _, limit in ipairs(b.limits) do
    if limit.hard then
      local name, room = limit.name, math.max(limit.hard - limit.used - limit.reserved, 0)
      local has = free[name] or 0
      if room < (least[name] or 0) - has then
        return nil
      end
      grants[name] = math.min(math.max((all[name] or 0) - has, 0), room)
    end
  end
  return amounts.text(grants) or ""
end
function granting.at_once(b, urgent)
  local wanted = amounts.read(urgent)
  for _, limit in ipairs(b.limits) do
    local need = wanted[limit.name] or 0
    if limit.hard and need > 0 and limit.used + limit.reserved + need > limit.hard then
      return ""
    end
  end
  return urgent
end
function granting.is_over(b)
  for _, limit in ipairs(b.limits) do
    if limit.hard and limit.used + limit.reserved > limit.hard then
      return true
    end
  end
  return false
end
function granting.is_renewed(b)
  local before = "(" .. number.text(budget.generation(b))
  return redis.call("ZCOUNT", keys.budget_aside(b.partition, b.budget), "-inf", before) > 0
end
function granting.leave_line(b, one)
  if one.in_line ~= "" then
    redis.call("ZREM", keys.budget_line(b.partition, b.budget), shares.entry(one))
    one.in_line = ""
  end
end
function granting.offer(b, full, one)
  local grants = ""
  if not admission.used_up(b, amounts.read(one.least)) then
    grants = granting.room_for(full, one, shares.others_wait(b, one))
    if not grants then
      return false
    end
  end
  local held = granting.sum(one.held, grants)
  granting.reserve(b, one.held, held)
  granting.reserve(full, "", grants)
  one.held, one.news = held, granting.sum(one.news, grants)
  granting.leave_line(b, one)
  shares.save(b, one)
  share_news.tell(b, one.name)
  return true
end
return granting
end)()

M.children = (function()
local keys = M.keys
local record = M.record
local run = M.run
local children = {}
children.OPEN_MAX = 64
function children.count(r)
  return r.f.cf and redis.call("ZCARD", keys.child_flows(r.partition, r.id)) or 0
end
function children.has_room_for(r, flow)
  return children.count(r) < children.OPEN_MAX
    or redis.call("ZSCORE", keys.child_flows(r.partition, r.id), flow) ~= false
end
function children.add(r, flow)
  redis.call("ZADD", keys.child_flows(r.partition, r.id), 0, flow)
  record.set(r, "cf", "1")
end
function children.ended(r, flow, now)
  local key = keys.child_flows(r.partition, r.id)
  if redis.call("ZREM", key, flow) == 0 then
    return false
  end
  record.set(r, "cf", redis.call("EXISTS", key) == 1 and "1" or nil)
  if r.f.cw == flow then
    record.set(r, "cw", nil)
    run.await_turn(r, "c", now)
  end
  return true
end
function children.forsake(r)
  local key = keys.child_flows(r.partition, r.id)
  local open = {}
  if r.f.st ~= "completed" then
    for from = 0, redis.call("ZCARD", key) - 1, children.OPEN_MAX do
      for _, flow in ipairs(redis.call("ZRANGE", key, from, from + children.OPEN_MAX - 1)) do
        open[#open + 1] = flow
      end
    end
  end
  redis.call("DEL", key)
  return open
end
return children
end)()

M.events = (function()
local keys = M.keys
local member = M.member
local number = M.number
local events = {}
local KEPT_MAX = 100000
local KEPT_MS = 86400000
local TRIMMED_AT_ONCE = 100
local READERS_AT_ONCE = 64
local function tell(partition)
  local key = keys.log_readers(partition)
  repeat
    local waiting = redis.call("SPOP", key, READERS_AT_ONCE)
    for i = 1, #waiting do
      local process = waiting[i]
      redis.call("SPUBLISH", keys.process(partition, process), "e")
    end
  until #waiting < READERS_AT_ONCE
end
local function append(partition, looked, what, id, state, at, flow, tags)
  local event = what .. " " .. id .. " " .. state .. " " .. at .. " " .. flow .. "\n" .. (tags or "")
  redis.call("XADD", keys.log(partition), "MAXLEN", "~", KEPT_MAX, "1-*", "e", event)
  if not looked then
    tell(partition)
  elseif not looked.has_told then
    looked.has_told = true
    tell(partition)
  end
end
function events.ended(r)
  append(r.partition, r.looked, "x", r.id, r.f.st, r.f.ea, r.f.nd and member.node(r).flow or "-", r.f.tg)
end
function events.flow_ended(fl, last, looked)
  append(fl.partition, looked, "f", last, fl.state, fl.f.ea, fl.flow, fl.f.tg)
end
function events.number(id)
  return number.text(tonumber(string.match(id, "^1%-(%d+)$")) + 1)
end
function events.id(seq)
  return "1-" .. number.text(tonumber(seq) - 1)
end
function events.read(entry)
  local e = { seq = events.number(entry[1]), f = {} }
  e.what, e.id, e.state, e.at, e.flow, e.f.tg = string.match(entry[2][2], "^(%l) (%x+) (%l+) (%d+) (%S+)\n(.*)$")
  return e
end
function events.trim(partition, now)
  local key, behind = keys.log(partition), nil
  for _, entry in ipairs(redis.call("XRANGE", key, "-", "+", "COUNT", 1)) do
    if now - tonumber(events.read(entry).at) < KEPT_MS then
      return
    end
    behind = entry[1]
  end
  if not behind then
    return
  end
  for _, entry in ipairs(redis.call("XRANGE", key, "-", "+", "COUNT", TRIMMED_AT_ONCE)) do
    local e = events.read(entry)
    if now - tonumber(e.at) < KEPT_MS then
      break
    end
    behind = events.id(tonumber(e.seq) + 1)
  end
  redis.call("XTRIM", key, "MINID", behind)
end
return events
end)()

M.capabilities = (function()
local capabilities = {}
local LISTED_MAX = 8
function capabilities.offer(text)
  local offer = {}
  for token in string.gmatch(text, "[^,]+") do
    offer[token] = true
  end
  return offer
end
function capabilities.covers(offer, class)
  for token in string.gmatch(class, "[^,]+") do
    if not offer[token] then
      return false
    end
  end
  return true
end
function capabilities.classes(text)
  local classes, tokens = { "" }, 0
  for token in string.gmatch(text, "[^,]+") do
    tokens = tokens + 1
    if tokens > LISTED_MAX then
      return nil
    end
    for at = 1, #classes do
      classes[#classes + 1] = at == 1 and token or classes[at] .. "," .. token
    end
  end
  return classes
end
return capabilities
end)()

M.closed = (function()
local lanes = M.lanes
local closed = {}
local function held(partition, name)
  local leases, tokens = lanes.held(partition, name)
  return leases + tokens
end
function closed.to(r, looked)
  local is, partition, name = lanes.of(r.partition, r.f.ln, looked), r.partition, r.f.ln
  if not is then
    return false
  end
  return is.state == "p" or (is.most and held(partition, name) >= is.most)
    or (is.key_most and r.f.lk and lanes.held_by_key(partition, name, r.f.lk) >= is.key_most) or false
end
return closed
end)()

M.waiters = (function()
local arms = M.arms
local capabilities = M.capabilities
local closed = M.closed
local keys = M.keys
local tags = M.tags
local waiters = {}
local SCANNED_AT_ONCE = 64
local SCANNED_MAX = 1024
local SCANNED_BY_CALL_MAX = 4096
local function looked(r)
  r.looked = r.looked or {}
  local l = r.looked
  if not l.scanned then
    l.scanned, l.offers, l.from, l.works, l.asked = 0, {}, {}, {}, {}
  end
  return l
end
local function suits(r, kind, l, arm)
  if kind == "c" and (arm.mode == "f" or not tags.has(r, arm.tag)) then
    return false
  elseif not r.f.cl then
    return true
  end
  l.offers[arm.offered] = l.offers[arm.offered] or capabilities.offer(arm.offered)
  return capabilities.covers(l.offers[arm.offered], r.f.cl)
end
local function close_ranks(l, lane, rank)
  for work, from in pairs(l.from) do
    if work.lane == lane and from > rank then
      l.from[work] = from - 1
    end
  end
end
local function work_of(r, kind, l)
  local name = kind .. r.f.ln .. " " .. (r.f.cl or "") .. "\t" .. (kind == "c" and r.f.tg or "")
  l.works[name] = l.works[name] or { lane = r.f.ln }
  return l.works[name]
end
function waiters.wake(r, kind, start)
  local partition, lane, l = r.partition, r.f.ln, looked(r)
  local key, first = keys.waiters(partition, lane), nil
  if not start and not l.asked[lane] then
    first = redis.call("ZRANGE", key, 0, SCANNED_AT_ONCE - 1)
    l.asked[lane] = first[1] and "some" or "nobody"
  end
  if l.asked[lane] == "nobody" then
    return false
  end
  local work = work_of(r, kind, l)
  local from = l.from[work] or start or 0
  local last = (start or 0) + SCANNED_MAX
  while from < last and l.scanned < SCANNED_BY_CALL_MAX do
    local batch = first or redis.call("ZRANGE", key, from, from + SCANNED_AT_ONCE - 1)
    first = nil
    if #batch > 0 and closed.to(r, l) then
      return false
    end
    for _, member in ipairs(batch) do
      l.scanned = l.scanned + 1
      local arm = arms.read(member)
      if arm and suits(r, kind, l, arm) then
        close_ranks(l, lane, from)
        if arms.fire(partition, lane, arm, r.id) then
          l.from[work] = from
          return true
        end
      else
        from = from + 1
      end
    end
    if #batch < SCANNED_AT_ONCE then
      break
    end
  end
  l.from[work] = from
  return false
end
function waiters.any(partition, lane)
  return redis.call("EXISTS", keys.waiters(partition, lane)) == 1
end
function waiters.some_rank(partition, lane)
  local key = keys.waiters(partition, lane)
  local member = redis.call("ZRANDMEMBER", key)
  return member and redis.call("ZRANK", key, member) or 0
end
function waiters.some(partition, lane, most)
  local found = {}
  for _, member in ipairs(redis.call("ZRANDMEMBER", keys.waiters(partition, lane), most)) do
    local arm = arms.read(member)
    if arm then
      arm.fresh, arm.reclaims = arm.mode ~= "c", arm.mode ~= "f"
      found[#found + 1] = arm
    end
  end
  return found
end
return waiters
end)()

M.merge = (function()
local merge = {}
local function better(one, other)
  if one.score ~= other.score then
    return one.score < other.score
  end
  return one.id < other.id
end
local RUN = 16
local function read(source, from, count)
  local found = {}
  local scored = redis.call("ZRANGE", source.key, from, from + count - 1, "WITHSCORES")
  for i = 1, #scored, 2 do
    found[#found + 1] = {
      id = scored[i], score = tonumber(scored[i + 1]), queue = source.kind, key = source.key, entry = source.entry,
      registry = source.registry,
    }
  end
  return found
end
local function better_run(one, other)
  return better(one.heads[1], other.heads[1])
end
local function best_run(runs)
  local best
  for _, run in ipairs(runs) do
    if run.at > #run.heads and run.more then
      run.heads, run.at = read(run.source, run.read, RUN), 1
      run.read, run.more = run.read + #run.heads, #run.heads == RUN
    end
    local head = run.heads[run.at]
    if head and (not best or better(head, best.heads[best.at])) then
      best = run
    end
  end
  return best
end
function merge.best(sources, most)
  local runs = {}
  for _, source in ipairs(sources) do
    local first = read(source, 0, 1)
    if first[1] then
      runs[#runs + 1] = { source = source, heads = first, at = 1, read = 1, more = true }
    end
  end
  table.sort(runs, better_run)
  for i = #runs, most + 1, -1 do
    runs[i] = nil
  end
  local found = {}
  while #found < most do
    local run = best_run(runs)
    if not run then
      break
    end
    found[#found + 1] = run.heads[run.at]
    run.at = run.at + 1
  end
  return found
end
return merge
end)()

M.sources = (function()
local capabilities = M.capabilities
local keyed = M.keyed
local keys = M.keys
local sources = {}
local CLASSES_MAX = 1024
local KIND = { f = "f", F = "f", c = "c", C = "c" }
local function listed(registry, classes, fresh, reclaims)
  local entries, found = {}, {}
  for letter, kind in pairs(KIND) do
    if kind == "f" and fresh or kind == "c" and reclaims then
      for i = 1, #classes do
        entries[#entries + 1] = letter .. classes[i]
      end
    end
  end
  local are_there = redis.call("SMISMEMBER", registry, unpack(entries))
  for i = 1, #entries do
    if are_there[i] == 1 then
      found[#found + 1] = entries[i]
    end
  end
  return found
end
function sources.add(found, partition, lane, offer, offered, fresh, reclaims, tag)
  local registry = keys.lane(partition, lane, tag)
  local entries = redis.call("SRANDMEMBER", registry, CLASSES_MAX)
  local classes = #entries == CLASSES_MAX and capabilities.classes(offered)
  if classes then
    entries = listed(registry, classes, fresh, reclaims)
  end
  for i = 1, #entries do
    local entry = entries[i]
    local letter, class = entry, ""
    if #entry > 1 then
      letter, class = string.sub(entry, 1, 1), string.sub(entry, 2)
    end
    local kind = KIND[letter]
    local wanted = kind == "f" and fresh or kind == "c" and reclaims
    if wanted and letter ~= kind and (class == "" or capabilities.covers(offer, class)) then
      local turned = found.turned or { nil }
      found.turned, turned[#turned + 1] = turned, keyed.ring(partition, lane, kind, class, tag)
    elseif wanted and (class == "" or capabilities.covers(offer, class)) then
      local key = keys.queue(partition, kind, lane, class, tag)
      found[#found + 1] = { kind = kind, class = class, entry = entry, key = key, registry = registry }
    end
  end
end
function sources.grouped(found)
  local groups = {}
  local function group(kind, class)
    local name = kind .. class
    groups[name] = groups[name] or { kind = kind }
    return groups[name]
  end
  for _, source in ipairs(found) do
    group(source.kind, source.class).plain = source
  end
  for _, ring in ipairs(found.turned or {}) do
    group(ring.kind, ring.class).ring = ring
  end
  return groups
end
return sources
end)()

M.picks = (function()
local aside = M.aside
local keyed = M.keyed
local lanes = M.lanes
local placement = M.placement
local sources = M.sources
local turns = M.turns
local picks = {}
local ASIDE_MAX = 64
local function first(key, ageing, now, left, alone)
  if alone then
    left.reads = left.reads + 1
    local ids = redis.call("ZRANGE", key, 0, 1)
    return ids[1] and {
      id = ids[1], key = key, followed = ids[2] ~= nil, last = not ids[2], ring = nil, turn = nil, queue = nil,
    }
  end
  local best
  local from = "-inf"
  repeat
    left.reads = left.reads + 1
    local entry = redis.call("ZRANGE", key, from, "+inf", "BYSCORE", "LIMIT", 0, ageing and 1 or 2, "WITHSCORES")
    if entry[1] then
      local rank, since = placement.read(tonumber(entry[2]))
      local steps = ageing and math.floor(math.max(now - since, 0) / ageing) or 0
      local one = { id = entry[1], key = key, standing = rank - steps, since = since, followed = entry[3] ~= nil }
      if not best or picks.is_better(one, best) then
        best = one
      end
      from = placement.rank_start(rank + 1)
    end
  until not ageing or not entry[1]
  return best
end
function picks.is_better(one, other)
  if one.standing ~= other.standing then
    return one.standing < other.standing
  elseif one.since ~= other.since then
    return one.since < other.since
  end
  return one.id < other.id
end
local function of_ring(ln, ring, keyless, ageing, now, left, alone)
  if keyless then
    turns.join(ring.partition, ring.lane, ring.key, "")
    keyless.ring, keyless.turn, keyless.queue = ring, "", ring.kind
  end
  local limited = ln and (ln.is.key_most or ln.is.key_rate)
  while true do
    local key = turns.next(ring.key)
    if not key or (key == "" and keyless) then
      return keyless
    elseif key == "" then
      turns.leave(ring.key, "")
    else
      local barrier = limited and lanes.key_barrier(ln, key, now)
      local head = not barrier and first(keyed.queue(ring, key), ageing, now, left, alone)
      if head then
        head.ring, head.turn, head.queue = ring, key, ring.kind
        return head
      elseif not barrier then
        keyed.leave(ring, key)
      elseif left.asides <= 0 then
        left.more = true
        return keyless
      else
        aside.put(ln, ring, key, barrier)
        left.asides = left.asides - 1
      end
    end
  end
end
function picks.best(ln, found, now)
  local best
  local ageing, left = ln and ln.is.ageing, { asides = ASIDE_MAX, reads = 0 }
  if not (ageing or found[1] or found.turned[2]) then
    local head = of_ring(ln, found.turned[1], nil, nil, now, left, true)
    return head, left.more, left.reads
  end
  for _, source in pairs(sources.grouped(found)) do
    local head = source.plain and first(source.plain.key, ageing, now, left)
    if source.ring then
      head = of_ring(ln, source.ring, head, ageing, now, left)
    end
    if head and (not best or picks.is_better(head, best)) then
      best = head
      best.queue = source.kind
      best.entry = source.plain and source.plain.entry
      best.registry = source.plain and source.plain.registry
    end
  end
  return best, left.more, left.reads
end
return picks
end)()

M.heads = (function()
local keyed = M.keyed
local keys = M.keys
local lanes = M.lanes
local merge = M.merge
local picks = M.picks
local sources = M.sources
local heads = {}
local CLASSES_MAX = 1024
local KEYS_MAX = 64
local CLASSES_PORTION = 64
function heads.best(partition, lane, offer, ask, most, now)
  local found = { turned = nil }
  local any_tag = ask.tag == ""
  if ask.fresh or any_tag then
    sources.add(found, partition, lane, offer, ask.offered, ask.fresh, ask.reclaims and any_tag)
  end
  if ask.reclaims and not any_tag then
    sources.add(found, partition, lane, offer, ask.offered, false, true, ask.tag)
  end
  if found.turned or (ask.ln and ask.ln.is.ageing) then
    local best, more, reads = picks.best(ask.ln, found, now)
    ask.more, ask.reads = more, (ask.reads or 0) + reads
    return { best }, best ~= nil and best.followed
  elseif #found ~= 1 then
    return merge.best(found, most), false
  end
  local source, first = found[1], {}
  local ids = redis.call("ZRANGE", source.key, 0, most)
  for i = 1, #ids > most and most or #ids do
    first[i] = {
      id = ids[i], queue = source.kind, key = source.key, entry = source.entry, registry = source.registry,
    }
  end
  return first, #ids > most
end
function heads.keyless(partition, lane)
  local found = {}
  for _, entry in ipairs(redis.call("SRANDMEMBER", keys.lane(partition, lane), CLASSES_MAX)) do
    local kind = string.sub(entry, 1, 1)
    if kind == "f" or kind == "c" then
      found[#found + 1] = keys.queue(partition, kind, lane, string.sub(entry, 2))
    end
  end
  return found
end
local function open_key(ln, ring, now, before, from)
  if before and redis.call("ZSCORE", ring.key, before) and not lanes.key_barrier(ln, before, now) then
    return before, false
  end
  local those = redis.call("ZRANGE", ring.key, from, from + KEYS_MAX - 1)
  for _, key in ipairs(those) do
    if key ~= "" and not (ln and lanes.key_barrier(ln, key, now)) then
      return key, false
    end
  end
  return nil, #those == KEYS_MAX
end
local function of_entry(partition, lane, entry, ln, now, before, from)
  local letter, class = string.sub(entry, 1, 1), string.sub(entry, 2)
  local kind = string.lower(letter)
  local key, more = keys.queue(partition, kind, lane, class), false
  if letter ~= kind then
    local ring = keyed.ring(partition, lane, kind, class)
    key, more = open_key(ln, ring, now, before, from)
    key = keyed.queue(ring, key or "")
  end
  local id = redis.call("ZRANGE", key, 0, 0)[1]
  return id and { id = id, queue = kind, key = key, of_ring = letter ~= kind }, more
end
function heads.some(partition, lane, most, ln, now)
  local found = {}
  for _, entry in ipairs(redis.call("SRANDMEMBER", keys.lane(partition, lane), most)) do
    found[#found + 1] = of_entry(partition, lane, entry, ln, now, nil, 0)
  end
  return found
end
function heads.portion(ln, place, now, before)
  local found, more = {}, false
  local cursor, from = string.match(place or "0 0", "^(%d+) (%d+)$")
  local answer = redis.call("SSCAN", keys.lane(ln.partition, ln.lane), cursor, "COUNT", CLASSES_PORTION)
  for _, entry in ipairs(answer[2]) do
    local head, behind = of_entry(ln.partition, ln.lane, entry, ln, now, not place and before, from + 0)
    found[#found + 1] = head
    more = more or behind
  end
  if more then
    return found, cursor .. " " .. from + KEYS_MAX
  end
  return found, answer[1] ~= "0" and answer[1] .. " 0" or nil
end
return heads
end)()

M.wakes = (function()
local heads = M.heads
local keys = M.keys
local lanes = M.lanes
local record = M.record
local waiters = M.waiters
local wakes = {}
local function behind(ln, head, most)
  if most == 1 then
    return 1
  end
  return redis.call("ZCARD", head.of_ring and keys.keyed(ln.partition, ln.lane) or head.key)
end
function wakes.some(ln, most, looked, now, before, place)
  local woken, found, rest = 0, {}, nil
  if most > 0 then
    found, rest = heads.portion(ln, place, now, before)
  end
  for _, head in ipairs(found) do
    local r = record.load(ln.partition, head.id)
    if r then
      r.looked = looked
      local left = math.min(behind(ln, head, most), most - woken)
      while left > 0 and waiters.wake(r, head.queue) do
        woken, left = woken + 1, left - 1
      end
    end
    if woken == most then
      break
    end
  end
  return woken, rest
end
function wakes.one(ln, looked, now, before)
  local woken, rest = wakes.some(ln, 1, looked, now, before)
  if woken == 0 and rest then
    lanes.look_on(ln, rest, now)
    lanes.save(ln, now)
  end
  return woken > 0
end
return wakes
end)()

M.leases = (function()
local aside = M.aside
local keys = M.keys
local lanes = M.lanes
local waiters = M.waiters
local wakes = M.wakes
local leases = {}
local function add(key, field, by)
  local count = redis.call("HINCRBY", key, field, by)
  if count == 0 then
    redis.call("HDEL", key, field)
  end
  return count
end
function leases.flush(partition, name, tally, ln)
  if tally.l > 0 and not ln then
    add(keys.lane_run(partition, name), "l", tally.l)
  end
  if tally.t > 0 then
    local tokens = add(keys.lane_run(partition, name), "t", tally.t)
    if ln then
      ln.f.t = tokens
    end
  end
end
local function freed(r, now)
  local name, looked = r.f.ln, r.looked or {}
  local is = lanes.of(r.partition, name, looked)
  if not is then
    return
  end
  if r.f.lk and is.key_most and aside.lease_ended(r.partition, name, r.f.lk) then
    local ln = lanes.open(r.partition, name, is.text)
    lanes.look_by(ln, now)
    lanes.save(ln, now)
  end
  if (is.most or is.key_most) and waiters.any(r.partition, name) then
    r.looked = looked
    wakes.one(lanes.open(r.partition, name, is.text), looked, now, r.f.lk)
  end
end
local function change(r, letter, by)
  if r.f.lk then
    add(keys.held_by_key(r.partition, r.f.ln), letter .. r.f.lk, by)
  end
  if r.tally then
    r.tally[letter] = r.tally[letter] + by
    return nil
  end
  return add(keys.lane_run(r.partition, r.f.ln), letter, by)
end
function leases.follow(r, leased, granted, now)
  local left
  if leased ~= r.leased then
    left = change(r, "l", leased and -1 or 1)
  end
  if granted ~= r.granted then
    change(r, "t", granted and -1 or 1)
  end
  if not r.leased and not r.granted and (granted or (left and left >= lanes.STEERED)) then
    freed(r, now)
  end
end
return leases
end)()

M.queue = (function()
local keyed = M.keyed
local keys = M.keys
local tags = M.tags
local queue = {}
local function insert(r, kind, score, tag)
  if r.f.lk then
    return keyed.insert(r, kind, score, tag)
  end
  local class = r.f.cl or ""
  redis.call("ZADD", keys.queue(r.partition, kind, r.f.ln, class, tag), score, r.id)
  redis.call("SADD", keys.lane(r.partition, r.f.ln, tag), kind .. class)
end
local function remove(r, kind, tag)
  if r.f.lk then
    return keyed.remove(r, kind, tag)
  end
  local class = r.f.cl or ""
  local key = keys.queue(r.partition, kind, r.f.ln, class, tag)
  redis.call("ZREM", key, r.id)
  if not (r.followed and not tag) and redis.call("EXISTS", key) == 0 then
    redis.call("SREM", keys.lane(r.partition, r.f.ln, tag), kind .. class)
  end
end
function queue.insert(r, kind, score)
  insert(r, kind, score)
  if kind == "c" and r.f.tg then
    tags.each(r, function(tag)
      insert(r, kind, score, tag)
    end)
  end
end
function queue.remove(r, kind)
  remove(r, kind)
  if kind == "c" and r.f.tg then
    tags.each(r, function(tag)
      remove(r, kind, tag)
    end)
  end
end
function queue.move(r, was, score)
  if was then
    queue.remove(r, was)
  end
  if r.queue then
    queue.insert(r, r.queue, score)
  end
end
function queue.drop_stray(head)
  if head.turn and head.turn ~= "" then
    return keyed.drop(head.ring, head.turn, head.key, head.id)
  end
  redis.call("ZREM", head.key, head.id)
  if redis.call("EXISTS", head.key) == 0 then
    redis.call("SREM", head.registry, head.entry)
  end
end
function queue.ahead(r)
  local key = keys.queue(r.partition, r.queue, r.f.ln, r.f.cl or "")
  if r.f.lk then
    key = keys.keyed_queue(r.partition, r.queue, r.f.ln, r.f.cl or "", nil, r.f.lk)
  end
  return redis.call("ZRANK", key, r.id) or 0
end
return queue
end)()

M.spending = (function()
local amounts = M.amounts
local budget = M.budget
local drawn = M.drawn
local keys = M.keys
local number = M.number
local placement = M.placement
local reasons = M.reasons
local record = M.record
local reservation = M.reservation
local share = M.share
local share_news = M.share_news
local window = M.window
local spending, NOTHING = {}, {}
function spending.note(r)
  local f = r.f
  return {
    holds = f.li ~= nil or f.gi ~= nil, reserved = reservation.left(f), awaits = f.bo, aside = f.ba, since = f.ra,
    kept_back = f.bo and reasons.has_others(r), is_next = f.st == "ready", drawn = nil,
  }
end
local function line_up(r, was)
  local f, partition = r.f, r.partition
  if was.awaits == f.bo and was.aside == f.ba and (not f.bo or was.since == f.ra) then
    return
  end
  if was.awaits then
    local from = was.aside and keys.budget_aside or keys.budget_line
    redis.call("ZREM", from(partition, was.awaits), r.id)
  end
  if f.bo and f.ba then
    redis.call("ZADD", keys.budget_aside(partition, f.bo), f.ba, r.id)
  elseif f.bo then
    redis.call("ZADD", keys.budget_line(partition, f.bo), placement.score(r), r.id)
  end
end
local function start(r, was, now)
  local reserved, budgets = reservation.left(r.f), was.drawn
  local wanted = amounts.read(reserved)
  for i = 1, #budgets do
    local b = budgets[i]
    if b then
      reservation.settle(b, NOTHING, wanted)
      share.started(b, now)
      budget.save(b, now)
    end
  end
  was.holds, was.reserved, was.is_next, was.drawn = true, reserved, false, nil
end
local function follow(r, was, id, b, now)
  local f = r.f
  local holds, begins = f.li ~= nil or f.gi ~= nil, f.bo == id and was.awaits ~= id
  local joins = f.bo == id and not f.ba and (begins or was.aside)
  local leaves = was.awaits == id and (f.ea or (reasons.has_others(r) and not was.kept_back))
  if was.is_next and not (was.holds or holds) and f.bo ~= id then
    leaves = leaves or f.ea or f.bo or reasons.has_others(r)
  end
  local ends = was.holds and not holds and was.reserved
  if not (begins or joins or leaves or ends) then
    return
  end
  b = b or budget.load(r.partition, id)
  if not b then
    return
  elseif begins then
    window.roll(b, now)
  end
  local freed = ends and reservation.settle(b, amounts.read(was.reserved), NOTHING)
  if freed and b.f.co then
    share.let_go(b, amounts.read(was.reserved))
  end
  if joins then
    share_news.line_begins(b, now)
    record.set(b, "wl", "1")
  end
  if b.f.wl and (freed or leaves or joins) then
    local line = redis.call("ZCARD", keys.budget_line(r.partition, id))
    if line == 0 then
      record.set(b, "wl", nil)
    elseif freed or leaves or line > 1 then
      record.set_number(b, "la", now)
    end
  end
  if begins then
    record.set(b, "la", number.earlier(b.f.la, window.end_of(b)))
    if not f.ba then
      record.set(b, "la", number.earlier(b.f.la, number.text(number.later(now, budget.LINE_LOOK_MS))))
    end
  end
  if b.f.fi then
    share.note(b, now, begins or joins or leaves or (freed and (b.f.wl or b.f.co)), leaves)
  end
  budget.save(b, now)
end
function spending.follow(r, now)
  local was = r.spent
  if was.drawn and (r.f.li or r.f.gi) then
    return start(r, was, now)
  end
  line_up(r, was)
  for i, id in ipairs(drawn.ids(r.f.bu)) do
    follow(r, was, id, was.drawn and was.drawn[i], now)
  end
  r.spent = spending.note(r)
end
return spending
end)()

M.store = (function()
local changes = M.changes
local keys = M.keys
local record = M.record
local store = {}
local function save_long(r)
  local key = keys.long(r.partition, r.id)
  for field, value in pairs(r.long) do
    if value then
      redis.call("HSET", key, field, value)
    else
      redis.call("HDEL", key, field)
    end
  end
  r.long = nil
end
local OPTIONAL = {
  "pk", "pl", "ct", "cl", "tg", "rs", "du", "dl", "nd", "dp", "ch", "ck", "pa", "hk", "bu", "es", "lk", "tl", "oc",
}
function store.insert(r)
  local f = r.f
  f.r = record.run(r)
  local set, n = { "s", f.s, "p", f.p, "r", f.r, nil, nil }, 6
  for i = 1, #OPTIONAL do
    local field = OPTIONAL[i]
    local value = f[field]
    if value then
      set[n + 1], set[n + 2], n = field, value, n + 2
    end
  end
  r.changed = nil
  redis.call("HSET", keys.execution(r.partition, r.id), unpack(set, 1, n))
end
local function save_all(r, key, run, holder)
  local f = r.f
  local set, n = { nil, nil, nil, nil, nil, nil, nil, nil }, 0
  if run ~= f.r then
    set[1], set[2], n = "r", run, 2
  end
  if holder ~= f.h then
    set[n + 1], set[n + 2], n = "h", holder, n + 2
  end
  changes.save(r, key, set, n)
end
function store.save(r)
  local f, key = r.f, keys.execution(r.partition, r.id)
  local run, holder = record.run(r), f.li and f.li .. f.lw or ""
  if r.changed then
    save_all(r, key, run, holder)
  elseif holder ~= f.h then
    redis.call("HSET", key, "r", run, "h", holder)
  elseif run ~= f.r then
    redis.call("HSET", key, "r", run)
  end
  f.r, f.h = run, holder
  if r.long then
    save_long(r)
  end
end
return store
end)()

M.told = (function()
local keys = M.keys
local record = M.record
local told = {}
local INSTANCE_AT = 17
local MESSAGE_MAX_BYTES = 262144
local FIELDS = { "rk", "re", "fc", "fa", "ft", "fm", "fd", "ca", "cr" }
local function value_of(r, field)
  if r.f[field] then
    return r.f[field]
  end
  local pending = r.long and r.long[field]
  if pending == nil and r.f.B then
    pending = redis.call("HGET", keys.long(r.partition, r.id), field)
  end
  return pending or nil
end
function told.ended(r)
  local run = record.run(r)
  local parts, size = { "r " .. #run .. ":" .. run }, 0
  for _, field in ipairs(FIELDS) do
    local value = value_of(r, field)
    if value then
      parts[#parts + 1] = field .. " " .. #value .. ":" .. value
      size = size + #value
    end
  end
  local message = size <= MESSAGE_MAX_BYTES and table.concat(parts) or ""
  redis.call("SPUBLISH", keys.ended(r.partition, r.id), message)
  record.set(r, "aw", nil)
end
function told.cancelled(r)
  local instance = string.gsub(string.sub(r.f.lw, INSTANCE_AT), ".", function(byte)
    return string.format("%02x", string.byte(byte))
  end)
  redis.call("SPUBLISH", keys.instance(r.partition, instance), r.id)
end
function told.frames(partition, id)
  redis.call("SPUBLISH", keys.written(partition, id), "")
end
function told.frames_over(r, was_writing, was_over)
  if (was_writing and not r.writing) or (r.over and not was_over) then
    told.frames(r.partition, r.id)
    record.set(r, "tw", not r.over and r.f.tw or nil)
  end
end
function told.flow_ended(fl)
  redis.call("SPUBLISH", keys.ended(fl.partition, fl.flow), "")
  record.set(fl, "aw", nil)
end
return told
end)()

M.waits_store = (function()
local chunks = M.chunks
local keys = M.keys
local number = M.number
local waits_store = {}
local function signal_text(s)
  return s.waitpoint .. " " .. s.id .. " " .. s.at .. " " .. s.source
end
local function waitpoint_text(p)
  return number.text(p.seq) .. " " .. p.state .. " " .. p.created .. " " .. p.expires .. " " .. p.kid .. " "
    .. (p.epoch or "-") .. " " .. (p.place or "-") .. " " .. (p.closer or "-") .. " " .. (p.kind or "-") .. " " .. p.key
end
local function fields(w)
  local is = {}
  for _, p in ipairs(w.all) do
    is["w" .. p.id] = waitpoint_text(p)
    if p.matcher ~= "" then
      is["m" .. p.id] = p.matcher
    end
    for _, s in ipairs(p.kept) do
      is["k" .. number.text(s.order)] = signal_text(s)
    end
  end
  if w.resumed then
    is.z, is.q = w.resumed.how, w.resumed.of
    for _, s in ipairs(w.resumed.signals) do
      is["z" .. number.text(s.order)] = signal_text(s)
    end
  end
  is.c, is.t = w.suspension and w.suspension.text, w.satisfied
  if next(is) then
    is.n = number.text(w.made) .. " " .. number.text(w.accepted)
  end
  return is
end
local function differences(was, is)
  local set, gone = {}, {}
  for field, value in pairs(is) do
    if was[field] ~= value then
      set[#set + 1], set[#set + 2] = field, value
    end
  end
  for field in pairs(was) do
    if not is[field] then
      gone[#gone + 1] = field
    end
  end
  return set, gone
end
local function is_open(field, text)
  return string.sub(field, 1, 1) == "w" and text ~= nil and string.match(text, "^%d+ (%l)") ~= "c"
end
local function opened(r, from, to)
  local members = {}
  for field, text in pairs(to) do
    if is_open(field, text) and not is_open(field, from[field]) then
      members[#members + 1] = string.sub(field, 2) .. " " .. r.id
    end
  end
  return members
end
local function save_bodies(r, w, was, is)
  local key, gone = keys.signals(r.partition, r.id), {}
  for field in pairs(was) do
    local order = string.match(field, "^[kz](%d+)$")
    if order and not is["k" .. order] and not is["z" .. order] then
      gone[#gone + 1] = order
    end
  end
  chunks.delete_fields(key, gone)
  for order, body in pairs(w.bodies) do
    if is["k" .. order] or is["z" .. order] then
      redis.call("HSET", key, order, body)
    end
  end
end
function waits_store.save(r)
  local w = r.waits
  local was, is = w.was, fields(w)
  local set, gone = differences(was, is)
  chunks.set_fields(keys.waits(r.partition, r.id), set)
  chunks.delete_fields(keys.waits(r.partition, r.id), gone)
  local index = keys.open_waitpoints(r.partition)
  chunks.remove_members(index, opened(r, is, was))
  for _, member in ipairs(opened(r, was, is)) do
    redis.call("ZADD", index, 0, member)
  end
  save_bodies(r, w, was, is)
  for _, id in ipairs(w.forgotten) do
    redis.call("DEL", keys.seen(r.partition, r.id, id))
  end
  for _, seen in ipairs(w.seen) do
    redis.call("HSET", keys.seen(r.partition, r.id, seen.waitpoint), seen.field, seen.value)
  end
  w.was, w.bodies, w.seen, w.forgotten = is, {}, {}, {}
end
return waits_store
end)()

M.places = (function()
local children = M.children
local events = M.events
local flow = M.flow
local kept = M.kept
local keys = M.keys
local leases = M.leases
local placement = M.placement
local queue = M.queue
local record = M.record
local spending = M.spending
local store = M.store
local timers = M.timers
local told = M.told
local waiters = M.waiters
local waits = M.waits
local waits_store = M.waits_store
local places = {}
local function note_places(r)
  local f = r.f
  r.queue, r.since, r.due = placement.queue(f), f.ra, placement.due(r)
  r.over, r.writing = f.ea and f.st, f.ao
  r.leased, r.granted = f.li ~= nil, f.gi ~= nil
end
function places.open(partition, id)
  local r = record.load(partition, id)
  if not r or (r.f.nd and flow.hides(r)) then
    return nil
  end
  note_places(r)
  r.spent = r.f.bu and spending.note(r)
  return r
end
function places.commit(r, now)
  local was, since, due, over, writing = r.queue, r.since, r.due, r.over, r.writing
  local leased, granted = r.leased, r.granted
  if r.waits then
    waits.settle(r)
  end
  note_places(r)
  if r.f.ea and not over then
    events.ended(r)
    if r.f.aw then
      told.ended(r)
    end
  end
  if r.f.tw then
    told.frames_over(r, writing, over)
  end
  store.save(r)
  if r.waits then
    waits_store.save(r)
  end
  if r.kept then
    kept.save(r)
  end
  if r.forsakes then
    r.forsakes, r.orphans = nil, children.forsake(r)
  end
  local moved = was ~= r.queue or since ~= r.since
  if moved then
    queue.move(r, was, r.queue and placement.score(r))
  end
  if r.due and due ~= r.due then
    timers.set(r, r.due, now)
  elseif due and not r.due then
    timers.remove(r)
  end
  if moved and r.queue then
    waiters.wake(r, r.queue)
  end
  if r.spent then
    spending.follow(r, now)
  end
  if leased ~= r.leased or granted ~= r.granted then
    leases.follow(r, leased, granted, now)
  end
end
function places.stage(r)
  redis.call("ZADD", keys.all(r.partition), 0, r.id)
  store.insert(r)
end
function places.create(r, now)
  note_places(r)
  r.spent = r.f.bu and spending.note(r)
  places.stage(r)
  if r.due then
    timers.set(r, r.due, now)
  end
  if r.queue then
    queue.insert(r, r.queue, placement.score(r))
    waiters.wake(r, r.queue)
  end
end
return places
end)()

M.budget_line = (function()
local admission = M.admission
local budget = M.budget
local flow = M.flow
local granting = M.granting
local keys = M.keys
local number = M.number
local places = M.places
local reasons = M.reasons
local record = M.record
local reservation = M.reservation
local shares = M.shares
local budget_line = {}
budget_line.MOVED_MAX = 32
local function has_turn(r, b, wanted, now)
  if reasons.has_others(r) or (b.is.action == "f" and admission.used_up(b, wanted, now)) then
    return true
  end
  return r.f.nd ~= nil and not r.f.ao and flow.cancel_of(r) ~= nil
end
function budget_line.takes(b, wanted)
  local takes = {}
  for _, limit in ipairs(b.limits) do
    local name = limit.name
    takes[name] = limit.hard and math.max(wanted[name] or 0, 1) or wanted[name]
  end
  return takes
end
local function go_on(r)
  reasons.remove(r, reasons.BUDGET)
  record.set(r, "bo", nil)
  if r.f.st == "blocked" then
    r.f.st = reasons.state(r)
  end
end
function budget_line.waiting(b, key, ids)
  local found = {}
  for _, id in ipairs(ids) do
    local one = shares.in_line(b, id)
    local r = not one and places.open(b.partition, id)
    if one then
      found[#found + 1] = one
    elseif r and r.f.bo == b.budget then
      found[#found + 1] = r
    else
      redis.call("ZREM", key, id)
    end
  end
  return found
end
local function move(b, full, r, now)
  if r.in_line then
    return granting.offer(b, full, r) and "told" or nil
  end
  local wanted = reservation.wanted(r)
  if not has_turn(r, b, wanted, now) then
    if admission.used_up(b, wanted, now) then
      record.set_number(r, "ba", budget.generation(b))
      return "aside"
    end
    local takes = budget_line.takes(b, wanted)
    if not admission.fits(full, takes) then
      return nil
    end
    reservation.settle(full, {}, takes)
  end
  go_on(r)
  return "on"
end
function budget_line.move(b, moved, now)
  local full, admitted, aside = budget.copy(b), false, false
  local key = keys.budget_line(b.partition, b.budget)
  local ids = redis.call("ZRANGE", key, 0, budget_line.MOVED_MAX)
  for at, one in ipairs(budget_line.waiting(b, key, ids)) do
    if at > budget_line.MOVED_MAX then
      return admitted, aside, "full", full
    end
    local went = move(b, full, one, now)
    if not went then
      return admitted, aside, "waits", full
    end
    admitted, aside = admitted or went == "on", aside or went == "aside"
    moved[#moved + 1] = went ~= "told" and one or nil
  end
  return admitted, aside, nil, full
end
function budget_line.move_back(b, moved)
  local key = keys.budget_aside(b.partition, b.budget)
  local before = "(" .. number.text(budget.generation(b))
  local most = budget_line.MOVED_MAX
  local ids = redis.call("ZRANGE", key, "-inf", before, "BYSCORE", "LIMIT", 0, most + 1)
  local found = budget_line.waiting(b, key, ids)
  for _, r in ipairs(found) do
    if #moved == most then
      break
    end
    record.set(r, "ba", nil)
    moved[#moved + 1] = r
  end
  return #found > 0
end
return budget_line
end)()

M.budget_due = (function()
local budget = M.budget
local budget_line = M.budget_line
local keys = M.keys
local number = M.number
local places = M.places
local record = M.record
local share_news = M.share_news
local window = M.window
local budget_due = {}
local LOOK_AGAIN_MS = 1000
local TELL_AGAIN_MS = 1000
local function look(b, now, looked)
  window.roll(b, now)
  share_news.tell_those_aside(b)
  local moved = {}
  local admitted, aside, stopped = budget_line.move(b, moved, now)
  local at
  if budget_line.move_back(b, moved) or stopped == "full" then
    at = number.text(now)
  elseif stopped then
    at = number.text(number.later(now, admitted and LOOK_AGAIN_MS or budget.LINE_LOOK_MS))
    at = number.earlier(at, window.end_of(b))
  elseif aside or b.f.sa or redis.call("EXISTS", keys.budget_aside(b.partition, b.budget)) == 1 then
    at = window.end_of(b)
  end
  if b.f.nw then
    at = number.earlier(at, number.text(number.later(now, TELL_AGAIN_MS)))
  end
  record.set(b, "la", at)
  budget.save(b, now)
  looked.visits = looked.visits - #moved
  for _, r in ipairs(moved) do
    r.looked = looked
    places.commit(r, now)
  end
end
local function as_it_is(b)
  return b.f.sh and budget.load(b.partition, b.budget) or b
end
function budget_due.handle(b, now, looked, shares)
  if not b.due or tonumber(b.due) > now then
    return nil
  elseif b.f.fi then
    shares[#shares + 1] = { b.budget, "" }
    return "budgets"
  end
  look(b, now, looked)
  b = as_it_is(b)
  if b.due and tonumber(b.due) <= now and looked.visits > 0 then
    look(b, now, looked)
    b = as_it_is(b)
  end
  if b.f.nw then
    shares[#shares + 1] = { b.budget, b.f.nw }
  end
  return "budgets"
end
return budget_due
end)()

M.schedule = (function()
local changes = M.changes
local keys = M.keys
local number = M.number
local record = M.record
local timers = M.timers
local schedule = {}
local REMEMBERED = 10
local COUNTS = "^(%d+) (%d+) (%d+) (%d+) (%d+)$"
local PLANNED = { "s", "ru", "ve", "th", "nx", "la", "tg" }
function schedule.due_name(id)
  return "s" .. id
end
function schedule.in_hand(partition, id, f)
  local s = { partition = partition, schedule = id, id = schedule.due_name(id), f = f, due = f.la }
  local submitted, missed, overlapped, refused, backfilled = string.match(f.ct or "0 0 0 0 0", COUNTS)
  s.counts = {
    submitted = submitted, missed = missed, overlapped = overlapped, refused = refused, backfilled = backfilled,
  }
  return s
end
function schedule.load(partition, id)
  local flat, f = redis.call("HGETALL", keys.schedule(partition, id)), {}
  if #flat == 0 then
    return nil
  end
  for i = 1, #flat, 2 do
    f[flat[i]] = flat[i + 1]
  end
  return schedule.in_hand(partition, id, f)
end
function schedule.planned(partition, id)
  local values, f, flat = redis.call("HMGET", keys.schedule(partition, id), unpack(PLANNED)), {}, {}
  for i, field in ipairs(PLANNED) do
    if values[i] then
      f[field], flat[#flat + 1], flat[#flat + 2] = values[i], field, values[i]
    end
  end
  return f.s and schedule.in_hand(partition, id, f), flat
end
function schedule.flat(s)
  local flat = {}
  for field, value in pairs(s.f) do
    flat[#flat + 1], flat[#flat + 2] = field, value
  end
  return flat
end
function schedule.count(s, what, many)
  local c = s.counts
  c[what] = number.text(tonumber(c[what]) + (many or 1))
  record.set(s, "ct", table.concat({ c.submitted, c.missed, c.overlapped, c.refused, c.backfilled }, " "))
end
function schedule.remember(s, at, id)
  local latest, kept = { at, id }, 1
  for earlier, its in string.gmatch(s.f.re or "", "(%d+) (%x+)") do
    if kept < REMEMBERED then
      latest[#latest + 1], latest[#latest + 2], kept = earlier, its, kept + 1
    end
  end
  record.set(s, "re", table.concat(latest, " "))
  record.set(s, "be", id)
end
function schedule.save(s, now)
  if s.changed then
    changes.save(s, keys.schedule(s.partition, s.schedule))
  end
  if s.f.la then
    timers.set(s, s.f.la, now)
  elseif s.due then
    timers.remove(s)
  end
  s.due = s.f.la
end
return schedule
end)()

M.buffered = (function()
local keys = M.keys
local record = M.record
local schedule = M.schedule
local buffered = {}
local OCCURRENCE = "^(%x+) (%d+)$"
function buffered.before_ended(r, now)
  local id = string.match(r.f.oc, OCCURRENCE)
  local waits = redis.call("HMGET", keys.schedule(r.partition, id), "wa", "be", "ve", "tg")
  if waits[1] and waits[2] == r.id then
    local s = schedule.in_hand(r.partition, id, { tg = waits[4] or nil })
    record.set_number(s, "la", now)
    record.set_number(s, "ve", tonumber(waits[3]) + 1)
    schedule.save(s, now)
  end
end
return buffered
end)()

M.links = (function()
local keys = M.keys
local memo = M.memo
local number = M.number
local record = M.record
local links = {}
local BYTES = 3
local NONE = {}
local INLINE = { c = "ch", p = "pa" }
local COUNT = { c = "ck", p = "hk" }
function links.count(r, kind)
  local inline = r.f[INLINE[kind]]
  return inline and #inline / BYTES or tonumber(r.f[COUNT[kind]] or "0")
end
local function read(bytes)
  local found = {}
  for at = 1, #bytes, BYTES do
    local high, low = string.byte(bytes, at, at + 1)
    found[#found + 1] = { index = high * 256 + low, condition = string.sub(bytes, at + 2, at + 2) }
  end
  return found
end
links.few = memo.of(read)
function links.inline(r, kind)
  return r.f[INLINE[kind]]
end
function links.slice(r, kind, from, to)
  if from >= to then
    return NONE
  end
  local inline = r.f[INLINE[kind]]
  if inline then
    return links.few(string.sub(inline, from * BYTES + 1, to * BYTES))
  end
  return read(redis.call("GETRANGE", keys.links(r.partition, kind, r.id), from * BYTES, to * BYTES - 1))
end
function links.add(r, kind, bytes)
  local inline, key = r.f[INLINE[kind]], keys.links(r.partition, kind, r.id)
  local before = links.count(r, kind)
  if bytes == "" then
    return
  elseif before * BYTES + #bytes <= record.SHORT_MAX_BYTES then
    record.set(r, INLINE[kind], (inline or "") .. bytes)
    return
  end
  redis.call("APPEND", key, (inline or "") .. bytes)
  record.set(r, INLINE[kind], nil)
  record.set(r, COUNT[kind], number.text(before + #bytes / BYTES))
end
function links.remove(r)
  if r.f.ck or r.f.hk then
    redis.call("DEL", keys.links(r.partition, "c", r.id), keys.links(r.partition, "p", r.id))
  end
end
return links
end)()

M.members = (function()
local joins = M.joins
local keys = M.keys
local member = M.member
local places = M.places
local members = {}
function members.get(w, index)
  index = index + 0
  local r = w.members[index]
  if not r then
    r = places.open(w.fl.partition, member.id(w.fl.flow, index))
    r.looked, w.members[index] = w.looked, r
  end
  return r
end
function members.source(w, index)
  return w.members[index + 0] or { partition = w.fl.partition, id = member.id(w.fl.flow, index), f = {} }
end
function members.counted(w, r)
  w.counted[r.id] = r
end
function members.put_back(w)
  for _, r in pairs(w.counted) do
    joins.keep(r)
    if r.changed then
      places.commit(r, w.now)
    end
  end
  w.counted = {}
end
function members.decision(w, index)
  local r = w.members[index]
  if r then
    return joins.of(r).decision
  end
  local id = member.id(w.fl.flow, index)
  local decision = string.sub(redis.call("HGET", keys.execution(w.fl.partition, id), "dp"), 1, 1)
  return decision == "z" and "o" or decision
end
function members.adopt(w, r)
  w.members[member.node(r).index + 0] = r
end
return members
end)()

M.edges = (function()
local backlog = M.backlog
local links = M.links
local members = M.members
local edges = {}
function edges.over(w, list, step, kind, visit)
  local index, at, rest, few, looked = step.index, step.at, step.rest, step.few, w.looked
  local to = math.min(step.total, at + looked.visits)
  local those, before = few and links.few(few), at
  if not those then
    local r = kind == "c" and members.source(w, index) or members.get(w, index)
    those, before = links.slice(r, kind, at, to), 0
  end
  if at == to then
    looked.visits = looked.visits - 1
  end
  local first, again = at, false
  while at < to and looked.visits > 0 and not again do
    looked.visits = looked.visits - 1
    local says
    says, again = visit(those[before + at - first + 1], index, rest)
    rest, at = says or rest, again and at or at + 1
  end
  if at < step.total then
    backlog.replace(list, backlog.step(step.letter, index, at, step.total, rest, few))
    return nil
  end
  backlog.drop(list)
  return index, rest
end
return edges
end)()

M.effort = (function()
local effort = {}
local VISITS_MAX = 32
function effort.of(looked)
  looked = looked or {}
  looked.visits, looked.left = looked.visits or VISITS_MAX, looked.left or {}
  return looked
end
function effort.left(looked)
  local left = looked and looked.left
  return left and left[1] and table.concat(left, ",") or ""
end
return effort
end)()

M.flow_end = (function()
local children = M.children
local events = M.events
local flow = M.flow
local places = M.places
local record = M.record
local told = M.told
local flow_end = {}
local OUTCOMES = { r = "cancelled", f = "failed", d = "failed" }
local function outcome(fl)
  local cause = flow.cancel(fl)
  return OUTCOMES[cause] or fl.unhandled > 0 and "failed" or "completed"
end
local function tell_parent(fl, now)
  local r = fl.f.pa and places.open(fl.partition, fl.f.pa)
  if r and r.f.cf and children.ended(r, fl.flow, now) then
    places.commit(r, now)
  end
end
function flow_end.now(fl, now, looked)
  fl.state = outcome(fl)
  record.set_number(fl, "ea", now)
  events.flow_ended(fl, fl.f.le, looked)
  if fl.f.aw then
    told.flow_ended(fl)
  end
  tell_parent(fl, now)
end
return flow_end
end)()

M.work = (function()
local backlog = M.backlog
local children = M.children
local effort = M.effort
local flow = M.flow
local flow_end = M.flow_end
local joins = M.joins
local links = M.links
local member = M.member
local members = M.members
local number = M.number
local places = M.places
local record = M.record
local work = {}
function work.on(fl, now, looked)
  looked = effort.of(looked)
  return {
    fl = fl, now = now, looked = looked, members = {}, counted = {}, orphans = {},
    starts = backlog.of(fl, "s"), counts = backlog.of(fl, "c"), decided = backlog.of(fl, "d"),
  }
end
function work.again(w)
  local other = work.on(w.fl, w.now, w.looked)
  other.members, other.counted = w.members, w.counted
  return other
end
function work.ended(w, r)
  local fl, node = w.fl, member.node(r)
  fl.open = fl.open - 1
  record.set(fl, "le", r.id)
  if joins.of(r).unhandled then
    fl.unhandled = fl.unhandled + 1
  end
  local edges = links.count(r, "c")
  if edges > 0 or (fl.policy == "f" and joins.is_failure(r.f.st)) then
    local taken = joins.is_failure(r.f.st) and not joins.of(r).unhandled
    local state = taken and r.f.st .. "=" or r.f.st
    backlog.push(w.counts, backlog.step("k", node.index, 0, edges, state, links.inline(r, "c")))
  end
end
local function reopen(fl, now)
  local parent = fl.f.pa and places.open(fl.partition, fl.f.pa)
  if parent and not parent.f.ea then
    children.add(parent, fl.flow)
    places.commit(parent, now)
  end
  record.set(fl, "ca", nil)
  if fl.f.dl and tonumber(fl.f.dl) <= now then
    record.set(fl, "dl", nil)
  end
  record.set(fl, "ea", nil)
end
function work.reopened(w, r, state)
  local fl = w.fl
  if fl.f.ea then
    reopen(fl, w.now)
  end
  fl.open, fl.state = fl.open + 1, "open"
  local few = links.inline(r, "c")
  backlog.push(w.counts, backlog.step("r", member.node(r).index, 0, links.count(r, "c"), state, few))
end
function work.finish(w)
  members.put_back(w)
  local fl = w.fl
  local left = backlog.keep(fl, { w.starts, w.counts, w.decided }) or fl.f.sw ~= nil
  if left then
    record.set(fl, "lf", fl.f.lf or number.text(w.now))
  else
    record.set(fl, "lf", nil)
  end
  if not left and fl.open == 0 and fl.state == "open" then
    flow_end.now(fl, w.now, w.looked)
  end
  if left then
    w.looked.left[#w.looked.left + 1] = fl.flow
  end
  flow.save(fl, w.now)
end
return work
end)()

M.promote = (function()
local backlog = M.backlog
local flow = M.flow
local joins = M.joins
local links = M.links
local member = M.member
local members = M.members
local number = M.number
local places = M.places
local reasons = M.reasons
local run = M.run
local told = M.told
local work = M.work
local promote = {}
local function after_decision(w, r)
  local d, node = joins.of(r), member.node(r)
  if (d.decision == "f" and d.failed > 0) or node.rest == "c" then
    backlog.push(w.decided, backlog.step("d", node.index, 0, links.count(r, "p")))
  end
end
local function end_cancelled(w, r, at, reason, taken)
  run.mark_cancelled(r, reason, at)
  run.finish(r, "cancelled", w.now)
  joins.of(r).unhandled = not taken
  joins.keep(r)
  places.commit(r, w.now)
  work.ended(w, r)
  for _, flow_id in ipairs(r.orphans or {}) do
    w.orphans[#w.orphans + 1] = flow_id
    w.looked.visits = w.looked.visits - 1
  end
end
function promote.fire(w, r)
  joins.of(r).decision = "f"
  joins.keep(r)
  r.f.st = reasons.state(r)
  if r.f.st == "ready" then
    r.f.ra = number.text(w.now)
  end
  after_decision(w, r)
  local _, _, at, reason = flow.cancel(w.fl)
  if at then
    end_cancelled(w, r, tonumber(at), reason)
  else
    places.commit(r, w.now)
  end
end
local function skip(w, r)
  joins.of(r).decision = "s"
  joins.keep(r)
  run.finish(r, "skipped", w.now)
  after_decision(w, r)
  places.commit(r, w.now)
  work.ended(w, r)
end
function promote.take_failure(w, r)
  local d = joins.of(r)
  if d.unhandled then
    d.unhandled = false
    joins.keep(r)
    places.commit(r, w.now)
    w.fl.unhandled = w.fl.unhandled - 1
  end
end
function promote.leave_failure(w, r)
  joins.of(r).unhandled = true
  joins.keep(r)
  places.commit(r, w.now)
  w.fl.unhandled = w.fl.unhandled + 1
end
function promote.count(w, parent, link, state, taken)
  local r = members.get(w, link.index)
  local d, takes = joins.of(r), joins.takes(r, link.condition)
  joins.count(r, link.condition, state, 1)
  local was, is = d.decision, joins.decided(r)
  if was == "o" and is == "f" then
    promote.fire(w, r)
  elseif was == "o" and is == "s" then
    skip(w, r)
  else
    members.counted(w, r)
    if was == "f" and takes and joins.is_failure(state) and not taken then
      promote.take_failure(w, members.get(w, parent))
    end
  end
  return takes and (d.decision == "o" or d.decision == "f")
end
function promote.cancel(w, r, at, reason, taken)
  if r.f.ea then
    return
  elseif not r.f.li then
    end_cancelled(w, r, at, reason, taken)
  elseif not r.f.ca then
    run.set_cancelled(r, reason, at)
    places.commit(r, w.now)
    told.cancelled(r)
  end
end
return promote
end)()

M.retract = (function()
local backlog = M.backlog
local joins = M.joins
local links = M.links
local member = M.member
local members = M.members
local number = M.number
local places = M.places
local reasons = M.reasons
local run = M.run
local work = M.work
local retract = {}
function retract.hold_back(w, r)
  local d = joins.of(r)
  if d.decision == "f" and d.failed > 0 then
    backlog.push(w.decided, backlog.step("u", member.node(r).index, 0, links.count(r, "p")))
  end
  d.decision = "o"
  joins.keep(r)
  r.f.st = reasons.state(r)
end
function retract.at(w, link, state)
  local r = members.get(w, link.index)
  joins.count(r, link.condition, state, -1)
  joins.keep(r)
  local decision, undecided = joins.of(r).decision, joins.decided(r) == "o"
  local unskipped = undecided and decision == "s"
  if unskipped then
    r.f.ra = number.text(run.open_again(r, w.now))
    retract.hold_back(w, r)
  elseif undecided and decision == "f" and not r.f.ai and not r.f.ea then
    retract.hold_back(w, r)
  end
  places.commit(r, w.now)
  if unskipped then
    work.reopened(w, r, "skipped")
  end
end
return retract
end)()

M.sweep = (function()
local joins = M.joins
local members = M.members
local number = M.number
local places = M.places
local promote = M.promote
local flow = M.flow
local record = M.record
local sweep = {}
function sweep.begin(w, cause, policy, reason)
  local before, _, at, first = flow.cancel(w.fl)
  if before then
    record.set(w.fl, "ca", before .. " " .. policy .. " " .. at .. " " .. first)
  else
    record.set(w.fl, "ca", cause .. " " .. policy .. " " .. number.text(w.now) .. " " .. reason)
  end
  if policy ~= "o" then
    record.set(w.fl, "sw", "0")
  end
end
function sweep.go_on(w)
  local _, policy, at, reason = flow.cancel(w.fl)
  local from = tonumber(w.fl.f.sw)
  local to = math.min(w.fl.nodes, from + w.looked.visits)
  w.looked.visits = w.looked.visits - math.max(to - from, 1)
  for index = from, to - 1 do
    local r = members.get(w, index)
    if policy == "a" or not r.f.ao then
      promote.cancel(w, r, tonumber(at), reason)
    end
  end
  record.set(w.fl, "sw", to < w.fl.nodes and number.text(to) or nil)
end
function sweep.start(w, index)
  w.looked.visits = w.looked.visits - 1
  local r = members.get(w, index)
  local d = joins.of(r)
  if r.f.ea or not d.staged then
    return
  end
  d.staged, r.due = nil, nil
  if d.total == 0 then
    promote.fire(w, r)
  else
    joins.keep(r)
    places.commit(r, w.now)
  end
end
return sweep
end)()

M.counting = (function()
local edges = M.edges
local joins = M.joins
local member = M.member
local members = M.members
local promote = M.promote
local retract = M.retract
local sweep = M.sweep
local counting = {}
function counting.ended(w, step)
  local state, mark = string.match(step.rest, "^(%l+)(.?)$")
  local taken = mark == "="
  local index, rest = edges.over(w, w.counts, step, "c", function(link, parent)
    return promote.count(w, parent, link, state, taken) and not taken and state .. "+" or nil
  end)
  if index and joins.is_failure(rest) and w.fl.policy == "f" and not w.fl.f.ca then
    local r = members.get(w, index)
    if r.f.ea then
      sweep.begin(w, "f", "a", "node " .. member.node(r).key .. " failed")
    end
  end
end
function counting.late(w, step)
  edges.over(w, w.counts, step, "c", function(link, parent, state)
    promote.count(w, parent, link, state)
  end)
end
function counting.reopened(w, step)
  edges.over(w, w.counts, step, "c", function(link, _, state)
    retract.at(w, link, state)
  end)
end
return counting
end)()

M.parents = (function()
local edges = M.edges
local joins = M.joins
local links = M.links
local member = M.member
local members = M.members
local number = M.number
local promote = M.promote
local parents = {}
local function has_child(w, r, from, is_such)
  local total = links.count(r, "c")
  local to = math.min(total, from + math.max(w.looked.visits, 1))
  local those = links.slice(r, "c", from, to)
  for i = 1, #those do
    w.looked.visits = w.looked.visits - (i > 1 and 1 or 0)
    if is_such(w, those[i]) then
      return true
    end
  end
  if to < total then
    return nil, to
  end
  return false
end
local function is_undecided(w, link)
  return members.decision(w, link.index) == "o"
end
local function is_taker(w, link)
  return members.decision(w, link.index) == "f" and joins.takes(members.get(w, link.index), link.condition)
end
local function take(w, r, link)
  local takes = joins.of(r).decision == "f" and joins.takes(r, link.condition)
  if takes then
    promote.take_failure(w, members.get(w, link.index))
  end
  return takes
end
function parents.takes(w, step)
  edges.over(w, w.decided, step, "p", function(link, index)
    take(w, members.get(w, index), link)
  end)
end
function parents.leaves(w, step)
  edges.over(w, w.decided, step, "p", function(link, index, seen)
    local r, parent = members.get(w, index), members.get(w, link.index)
    local takes = joins.of(r).decision ~= "f" and joins.takes(r, link.condition)
    if not takes or not joins.is_failure(parent.f.st) or joins.of(parent).unhandled then
      return "", false
    end
    local taken, place = has_child(w, parent, tonumber(seen) or 0, is_taker)
    if place then
      return number.text(place), true
    elseif not taken then
      promote.leave_failure(w, parent)
    end
    return "", false
  end)
end
function parents.decided(w, step)
  edges.over(w, w.decided, step, "p", function(link, index, seen)
    local r = members.get(w, index)
    local takes = take(w, r, link)
    local node, parent = member.node(r), members.get(w, link.index)
    if node.rest ~= "c" or parent.f.ea or parent.f.ca then
      return "", false
    end
    local needed, place = has_child(w, parent, tonumber(seen) or 0, is_undecided)
    if place then
      return number.text(place), true
    elseif not needed then
      promote.cancel(w, parent, w.now, "node " .. node.key .. " needs it no more", takes)
    end
    return "", false
  end)
end
return parents
end)()

M.propagate = (function()
local backlog = M.backlog
local counting = M.counting
local flow = M.flow
local joins = M.joins
local links = M.links
local member = M.member
local members = M.members
local parents = M.parents
local places = M.places
local record = M.record
local sweep = M.sweep
local work = M.work
local propagate = {}
local DECIDED = { d = parents.decided, t = parents.takes, u = parents.leaves }
local COUNTS = { k = counting.ended, e = counting.late, r = counting.reopened }
local function start(w)
  local index = backlog.front(w.starts)
  if index then
    backlog.drop(w.starts)
    sweep.start(w, index)
  end
  return index
end
local function count(w)
  local step = backlog.front(w.counts)
  if step then
    COUNTS[step.letter](w, step)
  end
  return step
end
local function decide(w)
  local step = backlog.front(w.decided)
  if step then
    DECIDED[step.letter](w, step)
  end
  return step
end
function propagate.run(w)
  while w.looked.visits > 0 do
    if w.fl.f.sw then
      sweep.go_on(w)
    elseif not (start(w) or count(w) or decide(w)) then
      break
    end
  end
  work.finish(w)
  if w.orphans[1] then
    propagate.cancel_orphans(w.fl.partition, w.orphans, w.now, w.looked)
  end
end
function propagate.cancel_orphans(partition, orphans, now, looked)
  for _, id in ipairs(orphans) do
    local fl = flow.open(partition, id)
    local _, policy = flow.cancel(fl or { f = {} })
    if fl and not fl.f.ea and policy ~= "a" then
      local w = work.on(fl, now, looked)
      sweep.begin(w, "r", "a", "the execution that started the flow has ended")
      propagate.run(w)
    end
  end
end
local function work_of(r, now)
  local fl = flow.load(r.partition, member.node(r).flow)
  r.looked = r.looked or {}
  local w = work.on(fl, now, r.looked)
  members.adopt(w, r)
  return w
end
function propagate.ended(r, now)
  local d, unhandled = joins.of(r), joins.is_failure(r.f.st)
  if d.unhandled ~= unhandled then
    d.unhandled = unhandled
    joins.keep(r)
  end
  r.looked = r.looked or {}
  places.commit(r, now)
  local w = work_of(r, now)
  work.ended(w, r)
  propagate.run(w)
  if r.orphans then
    propagate.cancel_orphans(r.partition, r.orphans, now, w.looked)
  end
end
function propagate.reopened(r, now)
  local state, w = r.over, work_of(r, now)
  local d = joins.of(r)
  if d.was_unhandled then
    w.fl.unhandled = w.fl.unhandled - 1
  end
  record.set(r, "aw", nil)
  places.commit(r, now)
  work.reopened(w, r, state)
  if d.failed > 0 then
    local letter = d.decision == "f" and "t" or "u"
    backlog.push(w.decided, backlog.step(letter, member.node(r).index, 0, links.count(r, "p")))
  end
  propagate.run(w)
end
return propagate
end)()

M.removal = (function()
local keys = M.keys
local links = M.links
local queue = M.queue
local timers = M.timers
local waits = M.waits
local waits_store = M.waits_store
local removal = {}
function removal.of(r)
  if r.queue then
    queue.remove(r, r.queue)
  end
  timers.remove(r)
  if r.f.wv then
    waits.forget_all(r)
    waits_store.save(r)
  end
  local part, id = r.partition, r.id
  redis.call("ZREM", keys.all(part), id)
  redis.call("DEL", keys.execution(part, id), keys.long(part, id), keys.payload(part, id))
  redis.call("UNLINK", keys.frames(part, id), keys.summary(part, id))
  if r.f.nd then
    links.remove(r)
  end
end
return removal
end)()

M.execution = (function()
local buffered = M.buffered
local places = M.places
local propagate = M.propagate
local removal = M.removal
local execution = {}
execution.open = places.open
function execution.commit(r, now)
  if not r.f.nd then
    local was_over = r.over
    places.commit(r, now)
    if r.f.oc and r.over and not was_over then
      buffered.before_ended(r, now)
    end
    if r.orphans then
      r.looked = r.looked or {}
      propagate.cancel_orphans(r.partition, r.orphans, now, r.looked)
      r.orphans = nil
    end
  elseif r.f.ea and not r.over then
    propagate.ended(r, now)
  elseif r.over and not r.f.ea then
    propagate.reopened(r, now)
  else
    places.commit(r, now)
  end
end
function execution.create(r, now)
  places.create(r, now)
end
function execution.remove(r)
  removal.of(r)
end
return execution
end)()

M.entries = (function()
local execution = M.execution
local queue = M.queue
local entries = {}
function entries.open(partition, best, followed, looked, tally)
  local found, strays = {}, nil
  for i = 1, #best do
    local head = best[i]
    local r = execution.open(partition, head.id)
    if r and r.queue == head.queue then
      r.followed, r.looked, r.head, r.tally = followed, looked, head, tally
      found[#found + 1] = r
    else
      strays = strays or {}
      strays[#strays + 1] = head
    end
  end
  if not strays then
    return found, 0
  end
  for _, head in ipairs(strays) do
    queue.drop_stray(head)
  end
  return found, #strays
end
return entries
end)()

M.lease = (function()
local number = M.number
local policy = M.policy
local record = M.record
local lease = {}
lease.EXPIRED = "x"
lease.REVOKED = "v"
local SLOTS = { "x1", "x2", "x3", "x4", "x5", "x6", "x7", [0] = "x0" }
local REMEMBERED = 8
function lease.slot(epoch)
  return SLOTS[epoch % REMEMBERED]
end
function lease.finish(r, how)
  local f = r.f
  if not f.li then
    return
  end
  record.set(r, lease.slot(f.ep), f.li .. f.ai .. " " .. f.ep .. " " .. how)
  f.li, f.lw, f.lx = nil, nil, nil
  if f.le then
    record.set(r, "le", nil)
  end
  if f.of or f.B then
    record.set_text(r, "of", nil)
  end
end
function lease.release(r, call, what)
  lease.finish(r, "r " .. call .. " " .. what)
end
function lease.expiry(r, now, ttl)
  local at, f = number.later(now, ttl), r.f
  if f.le then
    at = math.min(at, tonumber(f.le))
  end
  if f.dl then
    at = math.min(at, tonumber(f.dl))
  end
  return at
end
function lease.issue(r, id, holder, ttl, now)
  local f = r.f
  if not f.ao then
    f.ai = number.text(f.ai and f.ai + 1 or 0)
    f.as = number.text(now)
    f.ao = "1"
    if f.pp or f.pm or f.B then
      record.set(r, "pp", nil)
      record.set_text(r, "pm", nil)
    end
  end
  local timeout = policy.of(r).attempt_timeout
  if timeout > 0 then
    record.set(r, "le", number.text(number.later(now, timeout)))
  end
  f.st, f.ep = "active", number.text((f.ep or 0) + 1)
  if f.gi then
    record.remove(r, record.TOKEN)
  end
  f.li, f.lw, f.lt = id, holder, ttl
  f.lx = number.text(lease.expiry(r, now, ttl))
end
return lease
end)()

M.handout = (function()
local admission = M.admission
local answers = M.answers
local barrier = M.barrier
local breach = M.breach
local execution = M.execution
local kept = M.kept
local lease = M.lease
local number = M.number
local record = M.record
local reservation = M.reservation
local handout = {}
local GRANT_TTL_MS = 5000
function handout.task(r, index)
  local f = r.f
  return {
    "task", index, r.id, record.task(r), f.pk and record.payload(r) or "", f.sk and kept.long_state(r) or "",
  }
end
function handout.issue(r, wanted, index, now)
  local id = answers.derived(wanted.request, index)
  local f = r.f
  if (f.dl or f.tl or f.nd) and barrier.ends(r, now) then
    execution.commit(r, now)
    return nil
  end
  local refused, reserved, aside
  if f.bu then
    refused, reserved, aside = admission.refused(r, now)
  end
  if refused == "block" then
    breach.block(r, reserved, aside)
  elseif refused then
    breach.fail(r, reserved, now)
  end
  if refused then
    execution.commit(r, now)
    return nil, refused == "block" and "blocked" or nil
  end
  if f.bu then
    reservation.set(r, reserved)
  end
  if wanted.offered ~= "" or f.of or f.B then
    record.set_text(r, "of", wanted.offered ~= "" and wanted.offered or nil)
  end
  if r.queue == "c" then
    record.set(r, "gi", id)
    record.set_number(r, "gx", number.later(now, GRANT_TTL_MS))
    execution.commit(r, now)
    return { "token", index, r.id }
  end
  lease.issue(r, id, wanted.holder, wanted.ttl, now)
  execution.commit(r, now)
  return handout.task(r, index)
end
return handout
end)()

M.handouts = (function()
local clock = M.clock
local keys = M.keys
local lanes = M.lanes
local number = M.number
local rate = M.rate
local record = M.record
local handouts = {}
local FORGOTTEN_MAX = 16
local function forget(ln, now)
  local arrivals, over = keys.key_arrivals(ln.partition, ln.lane), number.text(rate.over(now))
  local past = redis.call("ZRANGE", arrivals, "-inf", over, "BYSCORE", "LIMIT", 0, FORGOTTEN_MAX)
  if past[1] then
    redis.call("ZREM", arrivals, unpack(past))
  end
end
function handouts.spend(ln, key, now)
  local is = ln.is
  if is.rate then
    record.set_number(ln, "ta", rate.after_claim(is.rate, ln.f.ta, now))
  end
  if is.key_rate and key then
    local arrival = lanes.key_arrival(ln, key)
    if not arrival then
      forget(ln, now)
    end
    lanes.set_arrival(ln, key, rate.after_claim(is.key_rate, arrival, now))
  end
end
local function forget_in_time(ln, now)
  local its = ln.is.key_rate
  if its and ln.arrivals then
    local at = number.later(now, math.ceil((its.burst + its.interval) / 1000) + 1)
    clock.end_at(ln.partition, keys.key_arrivals(ln.partition, ln.lane), at)
  end
end
function handouts.finish(ln, now)
  if not (ln.is.rate or ln.is.key_rate) then
    return
  end
  forget_in_time(ln, now)
  if ln.f.la then
    local horizon = lanes.horizon(ln, now)
    if horizon and ln.f.la - horizon > 0 then
      record.set_number(ln, "la", now)
    end
  end
  local its = ln.is.rate
  if its and ln.is.state ~= "p" and rate.room(its, ln.f.ta, now) == 0 then
    record.set_number(ln, "ta", rate.arrival(its, ln.f.ta, now))
    lanes.look_by(ln, rate.next_at(its, ln.f.ta, now))
  end
end
return handouts
end)()

M.claims = (function()
local answers = M.answers
local capabilities = M.capabilities
local entries = M.entries
local handout = M.handout
local handouts = M.handouts
local heads = M.heads
local lanes = M.lanes
local leases = M.leases
local record = M.record
local turns = M.turns
local claims = {}
local NOTHING = {}
local EXPIRED_MAX = 64
local HEADS_MAX = 64
local READS_MAX = 256
local BYTES_MAX = 4194304
local function take(partition, ask, wanted, most, tally, now)
  local ids, items, count, idle, bytes, ln = {}, {}, 0, 0, 0, ask.ln
  local offer, looked = ask.offered ~= "" and capabilities.offer(ask.offered) or NOTHING, {}
  while count < most do
    local best, followed = heads.best(partition, ask.lane, offer, ask, math.min(most - count, HEADS_MAX), now)
    if #best == 0 then
      break
    end
    local found, strays = entries.open(partition, best, followed, looked, tally)
    idle = idle + strays
    for i = 1, #found do
      local r = found[i]
      local item, blocked = handout.issue(r, wanted, count, now)
      if item then
        count = count + 1
        ids[count], items[count] = r.id, item
        if ln then
          ln.handed = ln.handed + 1
          if ln.is.rate or ln.is.key_rate then
            handouts.spend(ln, r.f.lk, now)
          end
        end
        local head = r.head
        if head.turn and not head.last then
          turns.took(partition, ask.lane, head.ring.key, head.turn, ln and ln.f.wt)
        end
        bytes = bytes + (item[5] and #item[5] + #item[6] or 0)
      else
        idle = idle + 1
        if not blocked then
          break
        end
      end
      if bytes >= BYTES_MAX then
        return { ids = ids, items = items, cut_off = true }
      end
    end
    if idle >= EXPIRED_MAX or (ask.reads and ask.reads > READS_MAX and count > 0) then
      return { ids = ids, items = items, cut_off = true }
    end
  end
  return { ids = ids, items = items, cut_off = ask.more }
end
function claims.take(partition, ask, wanted, most, now)
  local ln = ask.ln
  local tally = ln or (most > 1 and { l = 0, t = 0 }) or nil
  if ln then
    local room = lanes.room(ln, now)
    most = most < room and most or room
  end
  local taken = take(partition, ask, wanted, most, tally, now)
  if tally then
    leases.flush(partition, ask.lane, tally, ln)
  end
  if ln then
    handouts.finish(ln, now)
    lanes.save(ln, now)
  end
  return taken
end
function claims.repeated(partition, request, ids, now)
  local items = {}
  for index, id in ipairs(ids) do
    local r = record.load(partition, id)
    local derived = answers.derived(request, index - 1)
    if r and r.f.li == derived and tonumber(r.f.lx) > now then
      if r.f.en ~= "c" then
        items[#items + 1] = handout.task(r, index - 1)
      end
    elseif r and r.f.gi == derived and tonumber(r.f.gx) > now then
      items[#items + 1] = { "token", index - 1, id }
    end
  end
  return items
end
return claims
end)()

M.reply = (function()
local reply = {}
reply.CODES = {
  "NOT_FOUND",
  "SUBMISSION_ID",
  "IDEMPOTENCY_KEY",
  "STALE_LEASE",
  "LEASE_EXPIRED",
  "LEASE_REVOKED",
  "CANCEL_REQUESTED",
  "ALREADY_TERMINAL",
  "ALREADY_RELEASED",
  "NOT_TERMINAL",
  "RECLAIM_TOKEN_VOID",
  "WAITPOINT_NOT_FOUND",
  "WAITPOINT_ID",
  "WAITPOINTS",
  "SIGNALS",
  "STEPS",
  "STEP_RESULTS",
  "FRAME_SEQ",
  "FLOW_NOT_FOUND",
  "FLOW_ID",
  "FLOW_REVISION",
  "FLOW_ENDED",
  "FLOW_CANCELLED",
  "FLOW_NOT_STAGED",
  "FLOW_BUSY",
  "FLOW_DEPTH",
  "CHILD_FLOWS",
  "NODE_STARTED",
  "DEPENDENCIES_UNMET",
  "BUDGET_NOT_FOUND",
  "BUDGET_ID",
  "BUDGET_DIMENSION",
  "SCHEDULE_NOT_FOUND",
  "SCHEDULE_ID",
  "SCHEDULE_VERSION",
  "USAGE_DIMENSIONS",
  "USAGE_SUM",
  "LANE_DRAINING",
  "LANE_FULL",
  "TAGS",
}
function reply.ok(...)
  return { "OK", ... }
end
function reply.err(code, ...)
  return { code, ... }
end
return reply
end)()

M.signals = (function()
local keys = M.keys
local signals = {}
signals.KEPT_MAX = 64
local OUTCOMES = { r = "resumed", c = "recorded", b = "buffered" }
function signals.body(name, category, correlation, payload)
  local lengths = #name .. " " .. #category .. " " .. (correlation and #correlation or "-") .. " "
    .. (payload and #payload or "-") .. " "
  return lengths .. name .. category .. (correlation or "") .. (payload or "")
end
local function name_and_correlation(body)
  local name, category, correlation, at = string.match(body, "^(%d+) (%d+) (%S+) %S+ ()")
  local behind = at + name + category
  return string.sub(body, at, at + name - 1),
    correlation ~= "-" and string.sub(body, behind, behind + correlation - 1) or nil
end
function signals.accepts(p, name, correlation)
  if p.kind == "s" then
    return p.matcher == name
  elseif p.kind == "c" then
    return p.matcher == correlation
  end
  return true
end
function signals.matching(r, p)
  if p.kind == "e" then
    return p.kept
  end
  local matching = {}
  for _, s in ipairs(p.kept) do
    local body = redis.call("HGET", keys.signals(r.partition, r.id), s.order)
    if signals.accepts(p, name_and_correlation(body)) then
      matching[#matching + 1] = s
    end
  end
  return matching
end
function signals.before(r, p, id, idempotency_key)
  local key = keys.seen(r.partition, r.id, p.id)
  local outcome = redis.call("HGET", key, "s" .. id)
  if outcome then
    return OUTCOMES[outcome]
  end
  local twin = idempotency_key ~= "" and redis.call("HGET", key, "i" .. idempotency_key)
  return twin and "duplicate " .. twin or nil
end
function signals.remember(w, p, id, idempotency_key, outcome)
  w.seen[#w.seen + 1] = { waitpoint = p.id, field = "s" .. id, value = outcome }
  if idempotency_key ~= "" then
    w.seen[#w.seen + 1] = { waitpoint = p.id, field = "i" .. idempotency_key, value = id }
  end
  return OUTCOMES[outcome]
end
return signals
end)()

M.waitpoints = (function()
local number = M.number
local reply = M.reply
local signals = M.signals
local waits = M.waits
local waitpoints = {}
waitpoints.KNOWN_MAX = 64
function waitpoints.is_open(p, now)
  return p.state ~= "c" and tonumber(p.expires) > now
end
function waitpoints.parts(p)
  return { p.id, p.key, p.expires, p.kid }
end
local function sign_anew_if_void(p, kids, now)
  for kid, verify_until in string.gmatch(kids, "([^,=]+)=?(%-?%d*)") do
    if kid == p.kid and (verify_until == "" or tonumber(verify_until) > now) then
      return false
    end
  end
  p.kid = string.match(kids, "^[^,]*")
  return true
end
local function open(w, key, now)
  for _, p in ipairs(w.all) do
    if p.key == key and waitpoints.is_open(p, now) then
      return p
    end
  end
  return nil
end
local function make_room(w, now)
  waits.close_expired(w, "p", now)
  if #w.all < waitpoints.KNOWN_MAX then
    return true
  end
  for at, p in ipairs(w.all) do
    if p.state == "c" then
      waits.forget(w, at)
      return true
    end
  end
  return false
end
function waitpoints.open_or_new(w, id, key, expires_in, kids, now)
  local p = open(w, key, now)
  if p then
    return p, sign_anew_if_void(p, kids, now)
  elseif w.known[id] then
    return nil, false, reply.err("WAITPOINT_ID")
  elseif not make_room(w, now) then
    return nil, false, reply.err("WAITPOINTS")
  end
  p = {
    id = id, seq = w.made, state = "p", key = key, kid = string.match(kids, "^[^,]*"),
    created = number.text(now), expires = number.text(number.later(now, tonumber(expires_in))),
    matcher = "", kept = {},
  }
  w.made = w.made + 1
  w.all[#w.all + 1] = p
  w.known[id] = p
  return p, true
end
function waitpoints.activate(r, spec, epoch, place, kids, now)
  local w = waits.of(r)
  local p, _, refusal
  if spec.expires_at ~= "" then
    p = open(w, spec.key, now)
    if not p or p.id ~= spec.id or p.expires ~= spec.expires_at then
      return nil, reply.err("WAITPOINT_NOT_FOUND")
    end
  else
    p, _, refusal = waitpoints.open_or_new(w, spec.id, spec.key, spec.expires_in, kids, now)
    if not p then
      return nil, refusal
    end
  end
  sign_anew_if_void(p, kids, now)
  p.kind, p.matcher, p.state = spec.kind, spec.matcher, "a"
  p.epoch, p.place = epoch, number.text(place)
  p.kept = signals.matching(r, p)
  return p
end
return waitpoints
end)()

M.condition = (function()
local waitpoints = M.waitpoints
local condition = {}
local function members(w, group)
  local wanted, found = {}, {}
  for _, place in ipairs(group.places) do
    wanted[place] = true
  end
  for _, p in ipairs(w.all) do
    if p.epoch == w.suspension.epoch and wanted[p.place] then
      found[#found + 1] = p
    end
  end
  return found
end
local function by_order(one, other)
  return one.order < other.order
end
local function counted(distinct, s)
  if distinct == "w" then
    return s.waitpoint
  elseif distinct == "i" then
    return s.id
  end
  return s.source == "t" and "t" .. s.waitpoint or s.source
end
local function kept_in_order(w)
  local kept = {}
  for _, p in ipairs(w.all) do
    if p.epoch == w.suspension.epoch then
      for _, s in ipairs(p.kept) do
        kept[#kept + 1] = { order = s.order, signal = s, place = p.place }
      end
    end
  end
  table.sort(kept, by_order)
  return kept
end
local function first_of_each(group, kept)
  local wanted, seen, first = {}, {}, {}
  for _, place in ipairs(group.places) do
    wanted[place] = true
  end
  for _, k in ipairs(kept) do
    if #first == group.n then
      break
    end
    local thing = wanted[k.place] and counted(group.distinct, k.signal)
    if thing and not seen[thing] then
      seen[thing] = true
      first[#first + 1] = k.signal
    end
  end
  return first
end
function condition.satisfying(w)
  local taken, known, kept = {}, {}, kept_in_order(w)
  for _, group in ipairs(w.suspension.groups) do
    local first = first_of_each(group, kept)
    if #first < group.n then
      return nil
    end
    for _, s in ipairs(first) do
      if not known[s.order] then
        known[s.order] = true
        taken[#taken + 1] = s
      end
    end
  end
  table.sort(taken, by_order)
  return taken
end
local function group_is_possible(w, group, now)
  local hopeful, open = 0, false
  for _, p in ipairs(members(w, group)) do
    local takes = waitpoints.is_open(p, now)
    open = open or takes
    if takes or #p.kept > 0 then
      hopeful = hopeful + 1
    end
  end
  if group.distinct == "w" then
    return hopeful >= group.n
  end
  return open or #first_of_each(group, kept_in_order(w)) >= group.n
end
function condition.is_possible(w, now)
  for _, group in ipairs(w.suspension.groups) do
    if not group_is_possible(w, group, now) then
      return false
    end
  end
  return true
end
return condition
end)()

M.depth = (function()
local heads = M.heads
local keys = M.keys
local number = M.number
local placement = M.placement
local depth = {}
function depth.ready(partition, name)
  local count = redis.call("ZCARD", keys.keyed(partition, name))
  for _, key in ipairs(heads.keyless(partition, name)) do
    count = count + redis.call("ZCARD", key)
  end
  return count
end
function depth.oldest(partition, name)
  local oldest = redis.call("ZRANGE", keys.keyed(partition, name), 0, 0, "WITHSCORES")[2]
  for _, key in ipairs(heads.keyless(partition, name)) do
    local from = "-inf"
    repeat
      local entry = redis.call("ZRANGE", key, from, "+inf", "BYSCORE", "LIMIT", 0, 1, "WITHSCORES")
      if entry[1] then
        local rank, since = placement.read(tonumber(entry[2]))
        oldest, from = number.earlier(oldest, number.text(since)), placement.rank_start(rank + 1)
      end
    until not entry[1]
  end
  return oldest
end
return depth
end)()

M.resume = (function()
local condition = M.condition
local run = M.run
local waits = M.waits
local resume = {}
local MESSAGES = { t = "the wait timed out", u = "the wait can no longer be satisfied" }
function resume.by(r, how, signals, ready_at)
  local w = waits.of(r)
  local of = waits.suspended_keys(w)
  waits.end_suspension(w)
  w.resumed = { how = how, of = of, signals = signals }
  run.await_turn(r, "c", ready_at)
end
function resume.give_up(r, how, ready_at, now)
  local behavior = waits.of(r).suspension.behavior
  if behavior == "f" then
    run.record_failure(r, "timeout", MESSAGES[how], nil, now)
    run.finish(r, "failed", now)
  elseif behavior == "c" then
    run.mark_cancelled(r, MESSAGES[how], now)
    run.finish(r, "cancelled", now)
  elseif behavior == "e" then
    run.finish(r, "expired", now)
  else
    resume.by(r, how, {}, ready_at)
  end
end
function resume.give_up_if_impossible(r, ready_at, now)
  if r.f.st == "suspended" and not condition.is_possible(waits.of(r), now) then
    resume.give_up(r, "u", ready_at, now)
  end
end
return resume
end)()

M.retry = (function()
local barrier = M.barrier
local number = M.number
local policy = M.policy
local run = M.run
local retry = {}
local JITTER = 2 ^ 20
local STEP = 648055
local OVERFLOW = 2 ^ 64
local function jitter(r)
  local random = tonumber(string.sub(r.id, -5), 16)
  local attempt = tonumber(r.f.ai or "0") % JITTER
  return (random + attempt * STEP) % JITTER
end
local function backoff(r, n)
  local its = policy.of(r)
  local longest = its.base
  if its.exponential then
    local power = its.factor ^ n
    longest = power * its.base
    if power >= OVERFLOW or longest >= OVERFLOW then
      longest = its.cap
    end
    longest = math.min(longest, its.cap)
  end
  if its.jittered then
    return math.floor(longest * jitter(r) / JITTER)
  end
  return longest
end
function retry.dispose(r, class, retry_after, now)
  barrier.hear_of(r)
  if r.f.ca or class == "cancelled" then
    run.finish(r, "cancelled", now)
    return "e cancelled"
  end
  local counter
  if class == "transient" or class == "timeout" then
    counter = tonumber(r.f.rt) < policy.of(r).max_retries and "rt"
  elseif class == "infra_crash" then
    counter = tonumber(r.f.rc) < policy.of(r).max_reclaims and "rc"
  end
  if not counter then
    run.finish(r, "failed", now)
    return "e failed"
  end
  local used = tonumber(r.f[counter])
  r.f[counter] = number.text(used + 1)
  local until_ms = number.later(now, retry_after or backoff(r, used))
  run.close_attempt(r)
  run.await_turn(r, nil, run.delay(r, until_ms, now))
  return "t " .. number.text(until_ms)
end
return retry
end)()

M.due = (function()
local barrier = M.barrier
local execution = M.execution
local lease = M.lease
local number = M.number
local placement = M.placement
local policy = M.policy
local reasons = M.reasons
local record = M.record
local resume = M.resume
local retry = M.retry
local run = M.run
local waits = M.waits
local due = {}
local function lease_over(r, at, now)
  local timed_out = r.f.le == at
  lease.finish(r, lease.EXPIRED)
  if timed_out then
    run.record_failure(r, "timeout", "the attempt ran too long", nil, now)
    retry.dispose(r, "timeout", nil, now)
    return "timeouts"
  end
  run.record_failure(r, "infra_crash", "the lease was lost", nil, now)
  barrier.hear_of(r)
  local reclaims = tonumber(r.f.rc)
  if r.f.ca then
    run.finish(r, "cancelled", now)
  elseif reclaims >= policy.of(r).max_reclaims then
    run.finish(r, "failed", now)
  else
    r.f.rc = number.text(reclaims + 1)
    run.close_attempt(r)
    run.await_turn(r, "c", tonumber(at))
  end
  return "leases"
end
local function wait_over(r, at, now)
  local w = waits.of(r)
  if w.suspension.timeout == at then
    resume.give_up(r, "t", tonumber(at), now)
    return "waits"
  end
  waits.close_expired(w, "a", tonumber(at))
  resume.give_up_if_impossible(r, tonumber(at), now)
  return "waitpoints"
end
local function decide(r, at, now)
  local f = r.f
  if placement.expires(r) == at then
    lease.finish(r, lease.EXPIRED)
    run.finish(r, "expired", now)
    return "expired"
  elseif f.li then
    return lease_over(r, at, now)
  elseif f.gx == at then
    record.remove(r, record.TOKEN)
    return "grants"
  elseif f.st == "suspended" then
    return wait_over(r, at, now)
  end
  run.end_delay(r)
  r.f.st = reasons.state(r)
  return "delays"
end
function due.handle(r, now)
  local at = r.due
  if not at or tonumber(at) > now then
    return nil
  elseif run.is_over(r) then
    execution.remove(r)
    return "removed"
  end
  local event = decide(r, at, now)
  execution.commit(r, now)
  return event
end
return due
end)()

M.extension = (function()
local backlog = M.backlog
local joins = M.joins
local links = M.links
local member = M.member
local members = M.members
local packed = M.packed
local places = M.places
local record = M.record
local reply = M.reply
local retract = M.retract
local extension = {}
local VALUES = 4
function extension.touched(w, text)
  local values, touched = packed.read(text), {}
  for at = 1, #values, VALUES do
    local r = members.get(w, values[at])
    local one = { r = r, children = values[at + 2], parents = values[at + 3] }
    if one.parents ~= "" and (r.f.ai or r.f.ea) then
      return nil, reply.err("NODE_STARTED", values[at + 1])
    end
    touched[#touched + 1] = one
  end
  return touched
end
function extension.apply(w, touched)
  for _, one in ipairs(touched) do
    local r = one.r
    local before = links.count(r, "c")
    links.add(r, "c", one.children)
    links.add(r, "p", one.parents)
    if one.parents ~= "" then
      joins.of(r).total = links.count(r, "p")
      joins.keep(r)
      if joins.decided(r) == "o" then
        retract.hold_back(w, r)
      end
    end
    places.commit(r, w.now)
    local count = links.count(r, "c")
    if r.f.ea and count > before then
      local few = links.inline(r, "c")
      backlog.push(w.counts, backlog.step("e", member.node(r).index, before, count, r.f.st, few))
    end
  end
end
function extension.note(fl, count, edges)
  fl.nodes, fl.edges, fl.open = fl.nodes + count, fl.edges + edges, fl.open + count
  fl.revision = fl.revision + 1
  record.set(fl, "sx", nil)
end
return extension
end)()

M.fence = (function()
local lease = M.lease
local reply = M.reply
local fence = {}
local LEASE_ID_BYTES = 16
local function ended(r, its)
  local past = r.f[lease.slot(its.epoch)]
  if past and string.sub(past, 1, LEASE_ID_BYTES) == its.lease then
    local attempt, epoch, how = string.match(string.sub(past, LEASE_ID_BYTES + 1), "^(%d+) (%d+) (.*)$")
    if attempt == its.attempt and epoch == its.epoch then
      return how
    end
  end
  return nil
end
local function refusal(r, its)
  local how = ended(r, its)
  local released = how and string.match(how, "^r %S+ (.*)$")
  if released then
    return reply.err("ALREADY_RELEASED", released)
  elseif not how or tonumber(r.f.ep) > tonumber(its.epoch) then
    return reply.err("STALE_LEASE")
  elseif r.f.ea then
    return reply.err("ALREADY_TERMINAL", r.f.st)
  elseif how == lease.REVOKED then
    return reply.err("LEASE_REVOKED")
  end
  return reply.err("LEASE_EXPIRED")
end
function fence.of(attempt, epoch, id)
  return { attempt = attempt, epoch = epoch, lease = id }
end
function fence.is_live(f, its)
  return f.li ~= nil and f.li == its.lease and f.ai == its.attempt and f.ep == its.epoch
end
function fence.refused(r, its, now)
  local f = r.f
  if fence.is_live(f, its) then
    if f.lx - now <= 0 then
      return reply.err("LEASE_EXPIRED")
    end
    return nil
  end
  return refusal(r, its)
end
function fence.repeated(r, its, call)
  local how = ended(r, its)
  local prefix = "r " .. call .. " "
  if how and string.sub(how, 1, #prefix) == prefix then
    return string.sub(how, #prefix + 1)
  end
  return nil
end
return fence
end)()

M.intake = (function()
local depth = M.depth
local lanes = M.lanes
local reply = M.reply
local intake = {}
local function ready(partition, name, looked)
  looked.ready = looked.ready or {}
  looked.ready[name] = looked.ready[name] or depth.ready(partition, name)
  return looked.ready[name]
end
function intake.stored(r, looked)
  local count = looked.ready and looked.ready[r.f.ln]
  if count and r.queue then
    looked.ready[r.f.ln] = count + 1
  end
end
function intake.admits(partition, name, looked)
  local is = lanes.of(partition, name, looked)
  if not is then
    return nil
  elseif is.state == "d" then
    return nil, reply.err("LANE_DRAINING", name)
  elseif is.max_queued and ready(partition, name, looked) >= is.max_queued then
    return nil, reply.err("LANE_FULL", name, is.max_queued)
  end
  return is.ttl
end
return intake
end)()

M.planned = (function()
local drawn = M.drawn
local packed = M.packed
local record = M.record
local planned = {}
local BUDGETS, PAYLOAD = 12, 7
function planned.set(s, fields)
  local values = packed.read(fields)
  for at = 1, #values, 2 do
    record.set(s, values[at], values[at + 1] ~= "" and values[at + 1] or nil)
  end
end
function planned.work(s)
  local values = packed.read(s.f.wk)
  values[PAYLOAD] = s.f.pl or ""
  return values
end
function planned.unknown_budget(s)
  return drawn.unknown(s.partition, planned.work(s)[BUDGETS])
end
function planned.next_version(s)
  record.set_number(s, "ve", tonumber(s.f.ve) + 1)
end
return planned
end)()

M.submission = (function()
local keys = M.keys
local number = M.number
local reasons = M.reasons
local record = M.record
local run = M.run
local submission = {}
local function optional(text)
  return text ~= "" and text or nil
end
function submission.record(partition, id, values, at, ttl, now)
  local r = record.new(partition, id, values[at + 2], values[at + 4], values[at + 5], now)
  local f = r.f
  f.p = values[at + 1] .. " " .. values[at + 9]
  f.cl, f.ct = optional(values[at + 3]), optional(values[at + 6])
  f.tg, f.dl = optional(values[at + 8]), optional(values[at + 11])
  f.bu, f.es = optional(values[at + 12]), optional(values[at + 13])
  f.lk, f.tl = optional(values[at + 14]), ttl
  if values[at + 10] ~= "" then
    f.ra = number.text(run.delay(r, tonumber(values[at + 10]), now))
    f.st = reasons.state(r)
  end
  local payload = values[at + 7]
  if #payload > record.SHORT_MAX_BYTES then
    f.pk = "1"
    redis.call("SET", keys.payload(partition, id), payload)
  else
    f.pl = optional(payload)
  end
  return r
end
return submission
end)()

M.firing = (function()
local execution = M.execution
local intake = M.intake
local keys = M.keys
local planned = M.planned
local record = M.record
local run = M.run
local schedule = M.schedule
local submission = M.submission
local told = M.told
local firing = {}
local OCCURRENCE = "(%d+) (%x+)"
local LANE = 2
local NEXT_HAS_COME = "the next occurrence of its schedule has come"
function firing.each(text, visit)
  for at, id in string.gmatch(text, OCCURRENCE) do
    visit(at, id)
  end
end
local function is_open(partition, id)
  local text = id and redis.call("HGET", keys.execution(partition, id), "r")
  return text and not record.TERMINAL[string.match(text, "^%S+")]
end
function firing.is_there(s, id)
  return redis.call("EXISTS", keys.execution(s.partition, id)) == 1
end
function firing.refusal(s, looked)
  if planned.unknown_budget(s) then
    return "budget_not_found"
  end
  local ttl, refused = intake.admits(s.partition, planned.work(s)[LANE], looked)
  return refused and string.lower(refused[1]), ttl
end
function firing.store(s, at, id, ttl, now, looked)
  local r = submission.record(s.partition, id, planned.work(s), 0, ttl, now)
  r.f.oc = s.schedule .. " " .. at
  r.looked = looked
  execution.create(r, now)
  intake.stored(r, looked)
end
local function submit(s, at, id, now, looked)
  local refused, ttl = firing.refusal(s, looked)
  if refused then
    schedule.count(s, "refused")
    record.set(s, "rf", at .. " " .. refused)
  else
    firing.store(s, at, id, ttl, now, looked)
    schedule.count(s, "submitted")
    schedule.remember(s, at, id)
  end
end
local function cancel(partition, id, now, looked)
  local r = execution.open(partition, id)
  if not r or run.is_over(r) or (r.f.li and r.f.ca) then
    return
  end
  r.looked, looked.ready = looked, nil
  run.set_cancelled(r, NEXT_HAS_COME, now)
  if r.f.li then
    told.cancelled(r)
  else
    run.finish(r, "cancelled", now)
  end
  execution.commit(r, now)
end
local function occur(s, at, id, now, looked)
  if firing.is_there(s, id) then
    return
  end
  local overlap = is_open(s.partition, s.f.be) and s.f.ov or "allow"
  if overlap == "buffer_one" and not s.f.wa then
    record.set(s, "wa", at .. " " .. id)
  elseif overlap == "skip" or overlap == "buffer_one" then
    schedule.count(s, "overlapped")
  else
    if overlap == "cancel_previous" then
      cancel(s.partition, s.f.be, now, looked)
    end
    submit(s, at, id, now, looked)
  end
end
function firing.fire(s, occurrences, now, looked)
  if s.f.wa and not is_open(s.partition, s.f.be) then
    local at, id = string.match(s.f.wa, OCCURRENCE)
    record.set(s, "wa", nil)
    if not firing.is_there(s, id) then
      submit(s, at, id, now, looked)
    end
  end
  firing.each(occurrences, function(at, id)
    occur(s, at, id, now, looked)
  end)
end
return firing
end)()

M.nodes = (function()
local drawn = M.drawn
local intake = M.intake
local joins = M.joins
local keys = M.keys
local lanes = M.lanes
local links = M.links
local member = M.member
local number = M.number
local places = M.places
local reasons = M.reasons
local record = M.record
local removal = M.removal
local reply = M.reply
local submission = M.submission
local nodes = {}
local VALUES = 21
local SUBMISSION_AT = 6
local function new(partition, flow, index, values, at, staged, looked, now)
  local id = member.id(flow, index)
  local is = lanes.of(partition, values[at + SUBMISSION_AT + 2], looked)
  local r = submission.record(partition, id, values, at + SUBMISSION_AT, is and is.ttl or nil, now)
  r.f.nd = flow .. " " .. number.text(index) .. " " .. values[at + 1] .. " " .. values[at + 2] .. " "
    .. values[at + 3] .. " " .. values[at]
  links.add(r, "c", values[at + 4])
  links.add(r, "p", values[at + 5])
  local total = links.count(r, "p")
  local decision = staged and "z" or total == 0 and "f" or "o"
  r.f.dp = decision .. " " .. number.text(total) .. " 0 0 0 0"
  if decision ~= "f" then
    r.f.st = reasons.state(r)
  end
  return r
end
function nodes.remove(partition, flow, index)
  local r = record.load(partition, member.id(flow, index))
  if r then
    removal.of(r)
  end
end
function nodes.count(values)
  return #values / VALUES
end
function nodes.refused(partition, values, looked)
  local known, admitted = {}, {}
  for at = 1, #values, VALUES do
    local ids = values[at + SUBMISSION_AT + 12]
    if ids ~= "" and not known[ids] then
      local unknown = drawn.unknown(partition, ids)
      if unknown then
        return reply.err("BUDGET_NOT_FOUND", unknown)
      end
      known[ids] = true
    end
  end
  for at = 1, #values, VALUES do
    local name = values[at + SUBMISSION_AT + 2]
    if not admitted[name] then
      local _, refused = intake.admits(partition, name, looked)
      if refused then
        return refused
      end
      admitted[name] = true
    end
  end
  return nil
end
function nodes.create(partition, flow, first, values, stored, looked, now)
  local index = first
  for at = 1, #values, VALUES do
    if index < stored then
      nodes.remove(partition, flow, index)
    end
    local r = new(partition, flow, index, values, at, false, looked, now)
    r.looked = looked
    places.create(r, now)
    index = index + 1
  end
end
function nodes.stage(partition, flow, first, values, now)
  local index, looked = first, {}
  for at = 1, #values, VALUES do
    nodes.remove(partition, flow, index)
    local r = new(partition, flow, index, values, at, true, looked, now)
    places.stage(r)
    if joins.of(r).total == 0 or r.f.du or r.f.dl then
      redis.call("RPUSH", keys.backlog(partition, "x", flow), number.text(index))
    end
    index = index + 1
  end
  return index - first
end
return nodes
end)()

M.staged = (function()
local keys = M.keys
local number = M.number
local record = M.record
local staged = {}
staged.KEPT_MS = 600000
function staged.standing(fl)
  local by, count = string.match(fl.f.sx or "", "^(%x+) (%d+)$")
  return by, tonumber(count)
end
function staged.may_go_on(fl, by, first)
  if first == fl.nodes then
    return true
  end
  local before, count = staged.standing(fl)
  return before == by and first > fl.nodes and first <= count
end
function staged.stored(fl)
  return math.max(tonumber(fl.f.sm or "0"), fl.nodes)
end
function staged.note(fl, by, count)
  record.set(fl, "sx", by .. " " .. number.text(count))
  record.set_number(fl, "sm", math.max(staged.stored(fl), count))
end
function staged.is_complete(fl, by, nodes)
  local before, count = staged.standing(fl)
  return before == by and count == nodes
end
function staged.seal(fl)
  record.set(fl, "sx", nil)
  record.set(fl, "sg", nil)
  local from = keys.backlog(fl.partition, "x", fl.flow)
  if redis.call("EXISTS", from) == 1 then
    redis.call("RENAME", from, keys.backlog(fl.partition, "s", fl.flow))
    record.set(fl, "bl", (fl.f.bl or "") .. "s")
  end
end
return staged
end)()

M.flow_due = (function()
local effort = M.effort
local flow = M.flow
local keys = M.keys
local nodes = M.nodes
local propagate = M.propagate
local record = M.record
local staged = M.staged
local sweep = M.sweep
local timers = M.timers
local work = M.work
local flow_due = {}
local function remove(fl, now, looked)
  local from = fl.state == "removing" and fl.nodes or staged.stored(fl)
  local to = math.max(from - math.max(looked.visits, 1), 0)
  looked.visits = looked.visits - math.max(from - to, 1)
  for index = from - 1, to, -1 do
    nodes.remove(fl.partition, fl.flow, index)
  end
  if to > 0 then
    fl.state, fl.nodes = "removing", to
    record.set(fl, "sg", fl.due)
    record.set(fl, "ea", nil)
    flow.save(fl, now)
    return "flows_advanced"
  end
  timers.remove(fl)
  redis.call("ZREM", keys.flows(fl.partition), fl.flow)
  redis.call("DEL", keys.flow(fl.partition, fl.flow), keys.backlog(fl.partition, "x", fl.flow))
  return "flows_removed"
end
function flow_due.handle(fl, now, looked)
  if not fl.due or tonumber(fl.due) > now then
    return nil
  elseif fl.f.lf then
    propagate.run(work.on(fl, now, looked))
    return "flows_advanced"
  elseif fl.f.ea or not flow.is_seen(fl.state) then
    return remove(fl, now, effort.of(looked))
  end
  local w = work.on(fl, now, looked)
  sweep.begin(w, "d", "a", "the flow missed its deadline")
  propagate.run(w)
  return "flows_expired"
end
return flow_due
end)()

M.frame = (function()
local number = M.number
local frame = {}
frame.OVERHEAD_BYTES = 64
local HEADER = "^(%d+) (%d+) (%d+) (%S+) (%l) (%l) (%d+) (%d+) ()"
function frame.id(attempt, ordinal)
  return number.text(attempt + 1) .. "-" .. number.text(ordinal)
end
function frame.ids(attempt)
  return number.text(attempt + 1) .. "-0", number.text(attempt + 1)
end
function frame.read(entry)
  local value = entry[2][2]
  local attempt, ordinal = string.match(entry[1], "^(%d+)%-(%d+)$")
  local _, counted, began, highest, _, own, type, correlation, at = string.match(value, HEADER)
  return {
    attempt = tonumber(attempt) - 1, ordinal = tonumber(ordinal), counted = tonumber(counted),
    began = tonumber(began), highest = highest ~= "-" and highest or nil, numbered = own == "n",
    bytes = #value - (at - 1) - tonumber(type) - tonumber(correlation),
  }
end
function frame.field(values, at, now, counted, began, highest)
  local own, type, correlation = values[at + 1] ~= "", values[at + 2], values[at + 3]
  local counts = number.text(now) .. " " .. number.text(counted) .. " " .. number.text(began) .. " " .. (highest or "-")
  local lengths = #type .. " " .. #correlation .. " "
  return counts .. " " .. values[at] .. (own and " n " or " u ") .. lengths .. type .. correlation .. values[at + 4]
end
return frame
end)()

M.frames = (function()
local frame = M.frame
local keys = M.keys
local number = M.number
local packed = M.packed
local frames = {}
local KEPT_MAX = 10000
local KEPT_MAX_BYTES = 8388608
local REMEMBERED = 1000
local READ_AT_ONCE = 100
local VALUES = 5
local function is_above(one, other)
  return #one > #other or (#one == #other and one > other)
end
local function remembered(key, attempt, memory, seq)
  local first, last = frame.ids(attempt)
  memory.stop, memory.looked = memory.stop or last, memory.looked or 0
  while not memory[seq] and memory.looked < REMEMBERED do
    local entries = redis.call("XREVRANGE", key, memory.stop, first, "COUNT", READ_AT_ONCE)
    for _, entry in ipairs(entries) do
      local e = frame.read(entry)
      if e.numbered then
        memory[e.highest] = e.ordinal
      end
      memory.stop = "(" .. entry[1]
    end
    memory.looked = #entries < READ_AT_ONCE and REMEMBERED or memory.looked + #entries
  end
  return memory[seq]
end
local function trim(key, counted)
  local first, at_once = nil, 2
  local from = "-"
  repeat
    local entries = redis.call("XRANGE", key, from, "+", "COUNT", at_once)
    for _, entry in ipairs(entries) do
      local e = frame.read(entry)
      if counted - (e.counted - e.bytes - frame.OVERHEAD_BYTES) <= KEPT_MAX_BYTES then
        first = first or entry[1]
        break
      end
      from = "(" .. entry[1]
    end
    at_once = math.min(2 * at_once, READ_AT_ONCE)
  until first or #entries == 0
  redis.call("XTRIM", key, "MINID", first)
end
local function plan(key, attempt, values)
  local entry = redis.call("XREVRANGE", key, "+", "-", "COUNT", 1)[1]
  local latest = entry and frame.read(entry) or { ordinal = 0, counted = 0 }
  local same = latest.attempt == attempt
  local next = {
    ordinals = {}, fresh = {}, counted = latest.counted, written = latest.ordinal,
    began = same and latest.began or latest.ordinal + 1, highest = same and latest.highest or nil,
  }
  local just_now, memory = {}, {}
  for at = 1, #values, VALUES do
    local seq = values[at + 1] ~= "" and values[at + 1] or nil
    local ordinal
    if seq and next.highest and not is_above(seq, next.highest) then
      ordinal = just_now[seq] or remembered(key, attempt, memory, seq)
      if not ordinal then
        return nil, next.highest
      end
    else
      next.written, next.highest = next.written + 1, seq or next.highest
      ordinal = next.written
      next.fresh[#next.fresh + 1] = { at = at, ordinal = ordinal, highest = next.highest }
      if seq then
        just_now[seq] = ordinal
      end
    end
    next.ordinals[#next.ordinals + 1] = number.text(ordinal)
  end
  return next
end
function frames.append(partition, id, attempt, text, now)
  local key, values = keys.frames(partition, id), packed.read(text)
  local next, highest = plan(key, attempt, values)
  if not next then
    return nil, highest
  end
  local counted = next.counted
  for _, f in ipairs(next.fresh) do
    counted = counted + #values[f.at + 4] + frame.OVERHEAD_BYTES
    local field = frame.field(values, f.at, now, counted, next.began, f.highest)
    redis.call("XADD", key, "MAXLEN", "=", KEPT_MAX, frame.id(attempt, f.ordinal), "f", field)
  end
  if counted > KEPT_MAX_BYTES and #next.fresh > 0 then
    trim(key, counted)
  end
  return next.ordinals
end
return frames
end)()

M.frames_end = (function()
local flow = M.flow
local record = M.record
local frames_end = {}
function frames_end.seen(partition, id)
  local f = record.holder(partition, id)
  if not f or (f.dp and flow.hides({ partition = partition, f = f })) then
    return nil
  end
  return f
end
function frames_end.of(f, asked)
  local over = record.TERMINAL[f.st] and f.st or nil
  local latest = f.ai and tonumber(f.ai)
  if not asked or not latest then
    return over
  elseif asked < latest then
    return "superseded"
  elseif asked > latest or f.ao then
    return over
  end
  return over or "superseded"
end
return frames_end
end)()

M.frames_page = (function()
local frame = M.frame
local keys = M.keys
local frames_page = {}
local READ_AT_ONCE = 100
local PAGE_MAX_BYTES = 1048576
local function oldest(key)
  local entry = redis.call("XRANGE", key, "-", "+", "COUNT", 1)[1]
  return entry and frame.read(entry)
end
local function range(key, backwards, from, to, most)
  if backwards then
    return redis.call("XREVRANGE", key, from, to, "COUNT", most)
  end
  return redis.call("XRANGE", key, from, to, "COUNT", most)
end
local function is_missing(e, ordinal, asked)
  if not asked then
    return ordinal + 1 < e.ordinal
  elseif asked < e.attempt then
    return ordinal + 1 < e.began
  end
  return asked == e.attempt and math.max(ordinal + 1, e.began) < e.ordinal
end
function frames_page.of(partition, id, asked, attempt, ordinal, backwards, most)
  local key, place, found, bytes = keys.frames(partition, id), frame.id(attempt, ordinal), {}, 0
  local low, high = "-", "+"
  if asked then
    low, high = frame.ids(asked)
  end
  local from, to = low, high
  if backwards then
    to = low
    from = ordinal > 0 and (not asked or attempt <= asked) and "(" .. place or high
  elseif ordinal > 0 and (not asked or attempt >= asked) then
    from = "(" .. place
  end
  local through, is_full = false, false
  while not through and not is_full do
    local at_once = math.min(most - #found + 1, READ_AT_ONCE)
    local entries = range(key, backwards, from, to, at_once)
    for _, entry in ipairs(entries) do
      local size = frame.read(entry).bytes
      is_full = #found == most or (#found > 0 and bytes + size > PAGE_MAX_BYTES)
      if is_full then
        break
      end
      found[#found + 1], bytes, from = entry, bytes + size, "(" .. entry[1]
    end
    through = not is_full and #entries < at_once
  end
  if backwards and not through then
    return found, through, false
  end
  local e = backwards and found[#found] or found[1]
  e = e and frame.read(e) or ((backwards or asked) and oldest(key)) or nil
  return found, through, e and is_missing(e, backwards and 0 or ordinal, asked) or false
end
function frames_page.flat(entries)
  local flat = {}
  for at, entry in ipairs(entries) do
    flat[2 * at - 1], flat[2 * at] = entry[1], entry[2][2]
  end
  return flat
end
return frames_page
end)()

M.held = (function()
local effort = M.effort
local clock = M.clock
local execution = M.execution
local fence = M.fence
local lease = M.lease
local reply = M.reply
local held = {}
function held.by(partition, id, attempt, epoch, lease_id, call, decide, again)
  local now = clock.now_ms(partition)
  local r = execution.open(partition, id)
  if not r then
    return reply.err("NOT_FOUND")
  end
  local its = fence.of(attempt, epoch, lease_id)
  local before = call and not fence.is_live(r.f, its) and fence.repeated(r, its, call)
  if before then
    return again and again(r, before) or reply.ok(before, "")
  end
  local refusal = fence.refused(r, its, now)
  if refusal then
    return refusal
  end
  local answer, released = decide(r, now)
  if released == false then
    return answer
  elseif released then
    lease.release(r, call, released)
  end
  execution.commit(r, now)
  return answer or reply.ok(released, effort.left(r.looked))
end
return held
end)()

M.holders = (function()
local fence = M.fence
local places = M.places
local record = M.record
local reply = M.reply
local holders = {}
function holders.of(partition, id, its, now)
  local holder = record.holder(partition, id)
  if not holder or not fence.is_live(holder, its) then
    local r = places.open(partition, id)
    return nil, r and fence.refused(r, its, now) or reply.err("NOT_FOUND")
  elseif now >= tonumber(holder.lx) then
    return nil, reply.err("LEASE_EXPIRED")
  end
  return holder
end
return holders
end)()

M.idempotency = (function()
local clock = M.clock
local keys = M.keys
local number = M.number
local record = M.record
local reply = M.reply
local idempotency = {}
function idempotency.check(partition, key, id, on_terminal, now)
  local ends_at, holder = string.match(redis.call("GET", key) or "", "^(%d+) (%x+)$")
  if not holder or tonumber(ends_at) <= now then
    return nil
  elseif holder == id then
    return reply.ok("new")
  end
  local state = string.match(redis.call("HGET", keys.execution(partition, holder), "r") or "", "^%l+")
  local ended = not state or record.TERMINAL[state]
  if ended and on_terminal == "reject" then
    return reply.err("IDEMPOTENCY_KEY", holder)
  elseif ended and on_terminal == "reuse" then
    return nil
  end
  return reply.ok("existing", holder)
end
function idempotency.take(partition, key, id, now, window)
  local ends_at = number.later(now, window)
  clock.set_until(partition, key, number.text(ends_at) .. " " .. id, ends_at)
end
return idempotency
end)()

M.lane_due = (function()
local aside = M.aside
local handouts = M.handouts
local keys = M.keys
local lanes = M.lanes
local number = M.number
local record = M.record
local waiters = M.waiters
local wakes = M.wakes
local lane_due = {}
local MOVED_MAX = 32
function lane_due.load(partition, name)
  local text = redis.call("GET", keys.lane_settings(partition, name))
  return text and lanes.open(partition, name, text) or nil
end
local function wake(ln, looked, now)
  local place = lanes.looks_on(ln)
  local wanted, woken, rest = math.min(lanes.room(ln, now), MOVED_MAX), 0, nil
  if waiters.any(ln.partition, ln.lane) then
    woken, rest = wakes.some(ln, wanted, looked, now, nil, place)
  end
  if woken == MOVED_MAX then
    record.set_number(ln, "la", now)
  elseif woken < wanted and rest then
    lanes.look_on(ln, rest, now)
  end
end
function lane_due.handle(ln, now, looked)
  if not ln.due or tonumber(ln.due) > now then
    return nil
  end
  local more, later = aside.put_back_due(ln, MOVED_MAX, now)
  if more then
    record.set(ln, "la", number.text(now))
  else
    record.set(ln, "la", later)
  end
  handouts.finish(ln, now)
  wake(ln, looked, now)
  lanes.save(ln, now)
  return "lanes"
end
return lane_due
end)()

M.log = (function()
local events = M.events
local keys = M.keys
local number = M.number
local record = M.record
local tags = M.tags
local log = {}
local READ_AT_ONCE = 100
local EXAMINED_MAX = 1000
local BYTES_MAX = 4194304
local CHECK_DIGITS = 8
local function check_of(e)
  return string.sub(e.id, -CHECK_DIGITS)
end
local function last(partition)
  local key = keys.log(partition)
  local entry = redis.call("XREVRANGE", key, "+", "-", "COUNT", 1)[1]
  if entry then
    local e = events.read(entry)
    return { seq = e.seq, check = check_of(e) }
  elseif redis.call("EXISTS", key) == 0 then
    return { seq = "0", check = "" }
  end
  local info = redis.call("XINFO", "STREAM", key)
  for i = 1, #info, 2 do
    if info[i] == "last-generated-id" then
      return { seq = events.number(info[i + 1]), check = "" }
    end
  end
end
local function start(partition)
  local entry = redis.call("XRANGE", keys.log(partition), "-", "+", "COUNT", 1)[1]
  local seq = entry and number.text(tonumber(events.read(entry).seq) - 1) or last(partition).seq
  return { seq = seq, check = "" }
end
local function is_other(partition, seq, check)
  if tonumber(seq) > tonumber(last(partition).seq) then
    return true
  elseif check == "" or tonumber(seq) == 0 then
    return false
  end
  local id = events.id(seq)
  local entry = redis.call("XRANGE", keys.log(partition), id, id)[1]
  return entry ~= nil and check_of(events.read(entry)) ~= check
end
function log.place(partition, from, check)
  if from == "now" then
    return last(partition)
  end
  local place = start(partition)
  if from == "start" then
    return place
  elseif is_other(partition, from, check) or tonumber(place.seq) > tonumber(from) then
    place.gap = true
    return place
  end
  return { seq = from, check = check }
end
local function result_of(partition, e)
  if e.what ~= "x" or e.state ~= "completed" then
    return nil
  end
  local f = record.summary(partition, e.id)
  if not f or f.st ~= e.state or f.ea ~= e.at then
    return nil
  end
  local kept = redis.call("HMGET", keys.execution(partition, e.id), "rk", "re")
  if not kept[1] then
    return nil
  end
  return kept[2] or redis.call("HGET", keys.long(partition, e.id), "re") or ""
end
function log.items(partition, place, most, tag, flow)
  local items, examined, bytes = {}, 0, 0
  while examined < EXAMINED_MAX do
    local from = place.seq == "0" and "-" or "(" .. events.id(place.seq)
    local read = redis.call("XRANGE", keys.log(partition), from, "+", "COUNT", READ_AT_ONCE)
    for _, entry in ipairs(read) do
      local e = events.read(entry)
      if #items >= most or bytes >= BYTES_MAX then
        return items
      end
      if tags.has(e, tag) and (flow == "" or flow == e.flow) then
        local result = result_of(partition, e)
        items[#items + 1] = { e.what, e.id, e.state, e.at, e.flow, result and "1" or "0", result or "" }
        bytes = bytes + #(result or "")
      end
      place.seq, place.check = e.seq, check_of(e)
      examined = examined + 1
    end
    if #read < READ_AT_ONCE then
      break
    end
  end
  return items
end
return log
end)()

M.offers = (function()
local arms = M.arms
local capabilities = M.capabilities
local clock = M.clock
local keys = M.keys
local number = M.number
local offers = {}
local LIVES_MS = 120000
local STEP_MS = 10000
local TTL_MAX_MS = 3600000
local EXAMINED_MAX = 1024
function offers.made(partition, lane, offered, ttl, now)
  if offered == "" then
    return
  end
  local key = keys.offers(partition, lane)
  local ends_at = number.later(now, math.max(ttl, LIVES_MS))
  local score = redis.call("ZSCORE", key, offered)
  local last = score and tonumber(score)
  if last and ends_at - last < STEP_MS and last - now <= TTL_MAX_MS then
    return
  end
  redis.call("ZADD", key, ends_at, offered)
  if not last then
    redis.call("ZREMRANGEBYSCORE", key, "-inf", now)
  end
  clock.end_at(partition, key, number.later(now, TTL_MAX_MS))
end
function offers.again(r, now)
  local f = r.f
  local offered = f.of or (f.B and redis.call("HGET", keys.long(r.partition, r.id), "of"))
  if offered then
    offers.made(r.partition, f.ln, offered, tonumber(f.lt), now)
  end
end
function offers.cover(partition, lane, requires, now)
  local key, from = keys.offers(partition, lane), "(" .. number.text(now)
  local live = redis.call("ZRANGE", key, from, "+inf", "BYSCORE", "LIMIT", 0, EXAMINED_MAX)
  arms.offered(partition, lane, EXAMINED_MAX, live)
  local any = {}
  for _, offered in ipairs(live) do
    local offer = capabilities.offer(offered)
    if capabilities.covers(offer, requires) then
      return true, {}
    end
    for token in pairs(offer) do
      any[token] = true
    end
  end
  local found = {}
  for token in string.gmatch(requires, "[^,]+") do
    if any[token] then
      found[#found + 1] = token
    end
  end
  return false, found
end
return offers
end)()

M.operator = (function()
local record = M.record
local operator = {}
local REMEMBERED = 8
local REQUEST_ID_BYTES = 16
function operator.done_by(r, request, own)
  for slot = 0, REMEMBERED - 1 do
    local mark = r.f["o" .. slot]
    if mark and string.sub(mark, 1, REQUEST_ID_BYTES) == request then
      local outcome = string.sub(mark, REQUEST_ID_BYTES + 1)
      if own[string.match(outcome, "^%S+")] then
        return outcome
      end
    end
  end
  return nil
end
function operator.remember(r, request, outcome)
  local count = tonumber(r.f.on or "0")
  record.set(r, "o" .. count % REMEMBERED, request .. outcome)
  record.set_number(r, "on", count + 1)
end
return operator
end)()

M.repair = (function()
local arms = M.arms
local capabilities = M.capabilities
local execution = M.execution
local handouts = M.handouts
local heads = M.heads
local keys = M.keys
local lane_due = M.lane_due
local lanes = M.lanes
local waiters = M.waiters
local repair = {}
local QUEUES = 8
local ARMS = 4
local LATE_MS = 1000
local function late(partition, head, now)
  local r = head and execution.open(partition, head.id)
  return r and r.queue and now - tonumber(r.f.ra) > LATE_MS and r
end
local function by_work(partition, lane, ln, now)
  local repaired, start = 0, waiters.some_rank(partition, lane)
  for _, head in ipairs(heads.some(partition, lane, QUEUES, ln, now)) do
    local r = late(partition, head, now)
    if r and waiters.wake(r, head.queue, start) then
      repaired = repaired + 1
    end
  end
  return repaired
end
local function by_arm(partition, lane, ln, now)
  local repaired = 0
  for _, arm in ipairs(waiters.some(partition, lane, ARMS)) do
    arm.ln = ln
    local best = heads.best(partition, lane, capabilities.offer(arm.offered), arm, 1, now)
    local r = late(partition, best[1], now)
    if r and arms.fire(partition, lane, arm, r.id) then
      repaired = repaired + 1
    end
  end
  return repaired
end
function repair.wakeups(partition, now)
  local lane = redis.call("SRANDMEMBER", keys.waited_lanes(partition))
  if not lane then
    return 0
  end
  arms.sweep(partition, lane)
  local ln = lane_due.load(partition, lane)
  if ln and lanes.room(ln, now) == 0 then
    handouts.finish(ln, now)
    lanes.save(ln, now)
    return 0
  end
  local repaired = by_work(partition, lane, ln, now)
  repaired = repaired > 0 and repaired or by_arm(partition, lane, ln, now)
  if ln then
    handouts.finish(ln, now)
    lanes.save(ln, now)
  end
  return repaired
end
return repair
end)()

M.settling = (function()
local admission = M.admission
local amounts = M.amounts
local budget = M.budget
local dimensions = M.dimensions
local granting = M.granting
local keys = M.keys
local number = M.number
local packed = M.packed
local record = M.record
local share_news = M.share_news
local shares = M.shares
local window = M.window
local settling = {}
local function count(b, one, settled)
  local before, after, some = amounts.read(one.settled), amounts.read(settled), false
  for _, limit in ipairs(b.limits) do
    local more = (after[limit.name] or 0) - (before[limit.name] or 0)
    if more > 0 then
      limit.used, some = math.min(limit.used + more, amounts.MAX), true
    end
  end
  one.settled = settled
  return some
end
local function line_up(b, one, score, now)
  if score == "" then
    return not b.f.wl and granting.room_for(b, one) or ""
  elseif admission.used_up(b, amounts.read(one.least)) then
    return ""
  end
  local stands_behind = b.f.wl and admission.stands_behind(b, score + 0, shares.entry(one))
  local is_first = not stands_behind and not granting.is_renewed(b)
  local grants = is_first and granting.room_for(b, one, shares.others_wait(b, one))
  if grants then
    return grants
  end
  redis.call("ZADD", keys.budget_line(b.partition, b.budget), score, shares.entry(one))
  one.in_line = score
  share_news.line_begins(b, now)
  record.set(b, "wl", "1")
  local at = number.text(number.later(now, budget.LINE_LOOK_MS))
  record.set(b, "la", number.earlier(number.earlier(b.f.la, at), window.end_of(b)))
  return ""
end
local function look_at_line(b, now)
  if not b.f.wl then
    return
  elseif redis.call("EXISTS", keys.budget_line(b.partition, b.budget)) == 1 then
    record.set_number(b, "la", now)
  else
    record.set(b, "wl", nil)
  end
end
local function answer(b, one, granted, message)
  local figures = {}
  for at, limit in ipairs(b.limits) do
    figures[at] = limit.name .. " " .. dimensions.text(limit)
  end
  return cmsgpack.pack({
    message, granted, table.concat(figures, " "), window.end_of(b) or "", number.text(budget.generation(b)),
    one.contended, one.in_line, one.number,
  })
end
function settling.hear(b, name, message, now)
  local values = packed.read(message)
  local one = shares.load(b, name)
  local ahead = values[1] - one.number
  if ahead <= 0 then
    return answer(b, one, ahead == 0 and one.granted or "", values[1]), ""
  end
  local was_in_line, held, news = one.in_line ~= "", one.held, one.news
  local is_recalled = one.contended == shares.RECALLED
  local used = count(b, one, values[2])
  one.number, one.free, one.least, one.all = values[1], values[4], values[5], values[6]
  one.waiting, one.news = values[8], ""
  granting.leave_line(b, one)
  one.held = granting.sum(values[3], news)
  local freed = granting.reserve(b, held, one.held)
  local urgent = granting.at_once(b, values[10])
  one.held = granting.sum(one.held, urgent)
  granting.reserve(b, "", urgent)
  one.free = granting.sum(one.free, news)
  local grants = is_recalled and values[7] == "" and "" or line_up(b, one, values[7], now)
  granting.reserve(b, "", grants)
  one.held = granting.sum(one.held, grants)
  one.granted = granting.sum(granting.sum(news, urgent), grants)
  one.told = values[9] ~= "" and number.text(budget.generation(b)) or ""
  if one.told ~= "" then
    record.set(b, "sa", "1")
    record.set(b, "la", number.earlier(b.f.la, window.end_of(b)))
  end
  if freed or used or was_in_line then
    look_at_line(b, now)
  end
  one.contended = (is_recalled or shares.others_wait(b, one) or granting.is_over(b)) and "1" or ""
  share_news.heard(b, name)
  shares.save(b, one)
  local recalled = ""
  if urgent == "" and values[10] ~= "" and not admission.used_up(b, amounts.read(values[10])) then
    recalled = share_news.recall(b, name)
  end
  return answer(b, one, one.granted, one.number), recalled
end
return settling
end)()

M.share_line = (function()
local budget_line = M.budget_line
local keys = M.keys
local placement = M.placement
local reservation = M.reservation
local share_line = {}
function share_line.waiting(b)
  local line, aside = keys.budget_line(b.partition, b.budget), keys.budget_aside(b.partition, b.budget)
  local set_aside = redis.call("ZCARD", aside)
  local waiting = {
    count = redis.call("ZCARD", line) + set_aside, aside = set_aside > 0, score = nil, least = {}, all = {},
  }
  local ids = redis.call("ZRANGE", line, 0, budget_line.MOVED_MAX - 1)
  for at, r in ipairs(budget_line.waiting(b, line, ids)) do
    local takes = budget_line.takes(b, reservation.wanted(r))
    for _, limit in ipairs(b.limits) do
      local name = limit.name
      waiting.all[name] = (waiting.all[name] or 0) + (limit.hard and takes[name] or 0)
    end
    if at == 1 then
      waiting.least, waiting.score = takes, string.format("%d", placement.score(r))
    end
  end
  return waiting
end
return share_line
end)()

M.share_rest = (function()
local amounts = M.amounts
local number = M.number
local record = M.record
local share = M.share
local share_rest = {}
local KEPT_MAX_MS = 8000
function share_rest.keep(b, now)
  local ms = b.f.kp and math.min(b.f.kp * 2, KEPT_MAX_MS) or share.KEPT_MS
  if b.f.kp or not b.f.gb then
    record.set_number(b, "gb", number.later(now, ms))
  end
  record.set_number(b, "kp", ms)
end
function share_rest.count(b)
  local some = {}
  for name, amount in pairs(amounts.read(b.f.us)) do
    some[name] = amount
  end
  for _, limit in ipairs(b.limits) do
    some[limit.name] = math.min((some[limit.name] or 0) + limit.used, amounts.MAX)
  end
  record.set(b, "us", amounts.text(some))
end
function share_rest.ahead(b)
  local ahead = {}
  if not b.f.co then
    local before, since = amounts.read(b.f.ah), amounts.read(b.f.us)
    for _, limit in ipairs(b.limits) do
      ahead[limit.name] = limit.hard and math.max(before[limit.name] or 0, since[limit.name] or 0) or nil
    end
  end
  return ahead
end
function share_rest.give_back(b)
  record.set(b, "ah", b.f.us)
  record.set(b, "us", nil)
  record.set(b, "gb", nil)
  local free, ahead = share.free(b), share_rest.ahead(b)
  for _, limit in ipairs(b.limits) do
    if limit.hard then
      share.hold(limit, limit.used + limit.reserved + math.min(free[limit.name], ahead[limit.name] or 0))
    end
  end
end
return share_rest
end)()

M.share_messages = (function()
local amounts = M.amounts
local number = M.number
local packed = M.packed
local record = M.record
local share = M.share
local share_rest = M.share_rest
local share_messages = {}
share_messages.UNTOLD = "?"
local AGAIN_MS = 1000
local function text(found)
  return amounts.text(found) or ""
end
function share_messages.wants(waiting)
  local wants = (waiting.score or "") .. " " .. text(waiting.least) .. (waiting.aside and " aside" or "")
  return wants ~= " " and wants or nil
end
local function wanted(b, waiting)
  local all = share_rest.ahead(b)
  for _, limit in ipairs(b.limits) do
    all[limit.name] = (all[limit.name] or 0) + (waiting.all[limit.name] or 0)
  end
  return all
end
local function settle(b)
  local all, held = {}, {}
  for name, amount in pairs(amounts.read(b.f.su)) do
    all[name] = amount
  end
  for _, limit in ipairs(b.limits) do
    local name, used = limit.name, limit.used
    all[name] = math.min((all[name] or 0) + used, amounts.MAX)
    limit.used = 0
    if limit.hard then
      share.hold(limit, math.max(limit.hard - used, limit.reserved))
    end
    held[name] = limit.hard or limit.reserved
  end
  return all, held
end
function share_messages.next(b, waiting, free, urgent, now)
  local wants = wanted(b, waiting)
  local all, held = settle(b)
  record.set(b, "su", amounts.text(all))
  record.set(b, "ut", nil)
  record.set_number(b, "sn", (b.f.sn or 0) + 1)
  record.set(b, "sw", share_messages.wants(waiting))
  record.set(b, "so", cmsgpack.pack({
    b.f.sn, text(all), text(held), text(free), text(waiting.least), text(wants), waiting.score or "",
    number.text(waiting.count), waiting.aside and "1" or "", urgent,
  }))
  share_messages.again(b, now)
  if share.has_free(b) then
    share.note(b, now)
  end
  return b.f.so
end
function share_messages.again(b, now)
  record.set_number(b, "la", number.later(now, AGAIN_MS))
end
function share_messages.hear(b, answer, now)
  local values = packed.read(answer)
  local said = b.f.sn or "0"
  local is_ahead = values[8] - said > 0
  if not is_ahead and (values[1] ~= said or not b.f.so) then
    return false, false
  end
  record.set(b, "sn", is_ahead and values[8] or said)
  record.set(b, "so", nil)
  record.set(b, "fi", values[3])
  record.set_number(b, "fa", now)
  record.set(b, "we", values[4] ~= "" and values[4] or nil)
  record.set(b, "ge", values[5])
  record.set(b, "co", values[6] ~= "" and values[6] or nil)
  b.has_heard = true
  local granted, home, limited = amounts.read(not is_ahead and values[2] or nil), share.home(b), false
  for _, limit in ipairs(b.limits) do
    local hard, held = home[limit.name].hard, limit.hard or limit.reserved
    limited = limited or (hard and not limit.hard)
    share.hold(limit, hard and held + (granted[limit.name] or 0) or nil)
  end
  if next(granted) then
    share.note(b, now)
  end
  b.yields = b.f.co ~= nil and not next(granted)
  return is_ahead or limited, values[7] == ""
end
return share_messages
end)()

M.share_usage = (function()
local amounts = M.amounts
local dimensions = M.dimensions
local share = M.share
local share_usage = {}
local function missing(b, used, before, after)
  local amount, reserves = {}, b.is.action ~= "r"
  for _, limit in ipairs(b.limits) do
    local name = limit.name
    local reserved = reserves and math.max(limit.reserved - (before[name] or 0), 0) + (after[name] or 0) or 0
    if limit.hard and (used[name] or 0) > 0 then
      amount[name] = math.max(limit.used + used[name] + reserved - limit.hard, 0)
    end
  end
  return amount
end
function share_usage.refused(b, used, before, after, last)
  local amount = missing(b, used, before, after)
  local needed = amounts.text(amount)
  if not needed then
    return nil
  elseif not last then
    return "short " .. b.budget .. " " .. needed
  end
  local name = string.match(needed, "^%S+")
  local is = share.in_all(b, dimensions.of(b, name))
  return dimensions.passed("hard", b, name, is.hard or 0, is, used[name])
end
return share_usage
end)()

M.specs = (function()
local packed = M.packed
local specs = {}
local FIELDS = { "id", "key", "kind", "matcher", "expires_in", "expires_at" }
function specs.read(text)
  local values, found = packed.read(text), {}
  for at = 1, #values, #FIELDS do
    local spec = {}
    for i, field in ipairs(FIELDS) do
      spec[field] = values[at + i - 1]
    end
    found[#found + 1] = spec
  end
  return found
end
return specs
end)()

M.starters = (function()
local children = M.children
local execution = M.execution
local fence = M.fence
local flow = M.flow
local member = M.member
local reply = M.reply
local starters = {}
local DEPTH_MAX = 8
function starters.of(partition, id, its, now)
  local r = execution.open(partition, id)
  if not r then
    return nil, nil, reply.err("NOT_FOUND")
  end
  local refused = fence.refused(r, its, now)
  if refused then
    return nil, nil, refused
  elseif r.f.ca then
    return nil, nil, reply.err("CANCEL_REQUESTED")
  end
  local own = r.f.nd and flow.open(partition, member.node(r).flow)
  local depth = (own and tonumber(own.f.dd or "0") or 0) + 1
  if depth > DEPTH_MAX then
    return nil, nil, reply.err("FLOW_DEPTH", depth)
  elseif children.count(r) + 1 > children.OPEN_MAX then
    return nil, nil, reply.err("CHILD_FLOWS", children.count(r) + 1)
  end
  return r, depth
end
function starters.add(r, flow_id, now)
  children.add(r, flow_id)
  execution.commit(r, now)
end
return starters
end)()

M.steered = (function()
local effort = M.effort
local clock = M.clock
local execution = M.execution
local operator = M.operator
local reply = M.reply
local steered = {}
function steered.by(partition, id, request, own, decide)
  local now = clock.now_ms(partition)
  local r = execution.open(partition, id)
  if not r then
    return reply.err("NOT_FOUND")
  end
  local before = operator.done_by(r, request, own)
  if before then
    return reply.ok(before, "")
  end
  local outcome, changed, refused = decide(r, now)
  if refused then
    return refused
  elseif changed then
    operator.remember(r, request, outcome)
    execution.commit(r, now)
  end
  return reply.ok(outcome, effort.left(r.looked))
end
return steered
end)()

M.summary = (function()
local keys = M.keys
local number = M.number
local summary = {}
local STORED = "^(%d+) (%d+) (%d+)\n()"
function summary.load(partition, id)
  local text = redis.call("GET", keys.summary(partition, id))
  if not text then
    return nil
  end
  local version, attempt, _, at = string.match(text, STORED)
  return { version = tonumber(version), attempt = attempt, document = string.sub(text, at), text = text }
end
function summary.newer(partition, id, version)
  local stands = version ~= "" and summary.load(partition, id) or nil
  return stands and stands.version > tonumber(version) and stands.text or nil
end
function summary.save(partition, id, version, attempt, document, now)
  local text = number.text(version) .. " " .. attempt .. " " .. number.text(now) .. "\n" .. document
  redis.call("SET", keys.summary(partition, id), text)
end
return summary
end)()

M.usage = (function()
local amounts = M.amounts
local budget = M.budget
local dimensions = M.dimensions
local drawn = M.drawn
local keys = M.keys
local number = M.number
local record = M.record
local reservation = M.reservation
local share = M.share
local share_news = M.share_news
local share_usage = M.share_usage
local window = M.window
local usage = {}
local DIMENSIONS_MAX = 32
function usage.total(r, used)
  local text = r.f.ug or r.f.B and redis.call("HGET", keys.long(r.partition, r.id), "ug") or nil
  local total = {}
  for name, amount in pairs(amounts.read(text)) do
    total[name] = amount
  end
  for name, amount in pairs(used) do
    total[name] = (total[name] or 0) + amount
    if total[name] > amounts.MAX then
      return nil, "USAGE_SUM", number.text(total[name])
    end
  end
  local count = #amounts.names(total)
  if count > DIMENSIONS_MAX then
    return nil, "USAGE_DIMENSIONS", count
  end
  return total
end
function usage.left(r, used)
  local after = {}
  for name, amount in pairs(amounts.read(reservation.left(r.f))) do
    after[name] = math.max(amount - (used[name] or 0), 0)
  end
  return after
end
local function count(b, used, before, after)
  local stands = {}
  for i, limit in ipairs(b.limits) do
    stands[i] = { used = limit.used, reserved = limit.reserved }
  end
  reservation.settle(b, before, after)
  for i, limit in ipairs(b.limits) do
    local reported, was, hard = used[limit.name] or 0, stands[i], limit.hard
    limit.used = limit.used + reported
    local sum = limit.used + limit.reserved
    if hard and reported > 0 and (limit.used > hard or (sum > hard and sum > was.used + was.reserved)) then
      return dimensions.passed("hard", b, limit.name, hard, was, reported), nil, limit.used <= hard
    elseif limit.used > amounts.MAX then
      return nil, number.text(limit.used)
    end
  end
  return nil
end
local function soft_breach(b, used)
  for _, limit in ipairs(b.limits) do
    local name, is = limit.name, share.in_all(b, limit)
    if is.soft and (used[name] or 0) > 0 and is.used > is.soft then
      return dimensions.passed("soft", b, name, is.soft, is, used[name])
    end
  end
  return nil
end
function usage.count(r, used, after, now, last)
  local budgets, soft = {}, nil
  local before = amounts.read(reservation.left(r.f))
  for _, id in ipairs(drawn.ids(r.f.bu or "")) do
    local b = budget.load(r.partition, id)
    if b then
      window.roll(b, now)
      local refused, too_large = b.f.fi and share_usage.refused(b, used, before, after, last), nil
      if not refused then
        local may_fit
        refused, too_large, may_fit = count(b, used, before, after)
        local recalled = may_fit and b.f.sh and not last and share_news.recall(b) or ""
        refused = recalled ~= "" and "recall " .. id .. " " .. recalled or refused
      end
      if refused or too_large then
        return nil, refused, too_large
      end
      soft = soft or soft_breach(b, used)
      if b.f.fi and next(used) then
        share.note(b, now)
      end
      if b.f.wl and redis.call("EXISTS", keys.budget_line(r.partition, id)) == 1 then
        record.set_number(b, "la", now)
      end
      budgets[#budgets + 1] = b
    end
  end
  return budgets, nil, soft
end
return usage
end)()

F.adjust_budget = (function()
local budget = M.budget
local clock = M.clock
local dimensions = M.dimensions
local keys = M.keys
local operator = M.operator
local packed = M.packed
local record = M.record
local reply = M.reply
local share_news = M.share_news
local shares = M.shares
local window = M.window
local OWN = { adjusted = true }
return function(partition, id, request, reset, limits)
  local now = clock.now_ms(partition)
  local b = budget.load(partition, id)
  if not b then
    return reply.err("BUDGET_NOT_FOUND", id)
  elseif operator.done_by(b, request, OWN) then
    return reply.ok(shares.names(b))
  end
  local values = packed.read(limits)
  for at = 1, #values, 3 do
    if not dimensions.of(b, values[at]) then
      return reply.err("BUDGET_DIMENSION", values[at])
    end
  end
  window.roll(b, now)
  for at = 1, #values, 3 do
    dimensions.bound(dimensions.of(b, values[at]), values[at + 1], values[at + 2])
  end
  if reset == "1" then
    for _, limit in ipairs(b.limits) do
      limit.used = 0
    end
  end
  operator.remember(b, request, "adjusted")
  window.renew(b)
  local waiting = redis.call("EXISTS", keys.budget_line(partition, id), keys.budget_aside(partition, id))
  if share_news.tell_all(b) or waiting > 0 then
    record.set_number(b, "la", now)
  end
  budget.save(b, now)
  return reply.ok(shares.names(b))
end
end)()

F.adjust_lane = (function()
local aside = M.aside
local clock = M.clock
local keys = M.keys
local lanes = M.lanes
local operator = M.operator
local packed = M.packed
local record = M.record
local reply = M.reply
local OWN = { adjusted = true }
local NONE = "a - - - - - - - - - - -"
local function load(partition, name, text)
  local ln = lanes.open(partition, name, text)
  local run = keys.lane_run(partition, name)
  for _, field in ipairs({ "on", "o0", "o1", "o2", "o3", "o4", "o5", "o6", "o7" }) do
    ln.f[field] = redis.call("HGET", run, field) or nil
  end
  return ln
end
local function weigh(partition, name, weights)
  local key, values = keys.lane_weights(partition, name), packed.read(weights)
  redis.call("DEL", key)
  if #values > 0 then
    redis.call("HSET", key, unpack(values))
  end
  return #values > 0 and "1" or nil
end
return function(partition, name, request, state, settings, weights)
  local now = clock.now_ms(partition)
  local key = keys.lane_settings(partition, name)
  local before = redis.call("GET", key)
  local ln = load(partition, name, before or NONE)
  if operator.done_by(ln, request, OWN) then
    return reply.ok("0")
  end
  local was, rest = string.match(before or NONE, "^(%l) (.*)$")
  if not before then
    redis.call("ZADD", keys.steered_lanes(partition), 0, name)
    record.set_number(ln, "l", (ln.f.l or 0) + lanes.STEERED)
  end
  redis.call("SET", key, (state ~= "" and state or was) .. " " .. (settings ~= "" and settings or rest))
  if settings ~= "" then
    record.set(ln, "wt", weigh(partition, name, weights))
    if not lanes.settings("a " .. settings).key_rate then
      redis.call("DEL", keys.key_arrivals(partition, name))
    end
  end
  operator.remember(ln, request, "adjusted")
  aside.doubt(partition, name)
  record.set_number(ln, "la", now)
  lanes.save(ln, now)
  return reply.ok("1")
end
end)()

F.adjust_schedule = (function()
local clock = M.clock
local operator = M.operator
local planned = M.planned
local reply = M.reply
local schedule = M.schedule
local OWN = { adjusted = true }
return function(partition, id, request, version, fields)
  local now = clock.now_ms(partition)
  local s = schedule.load(partition, id)
  if not s then
    return reply.err("SCHEDULE_NOT_FOUND")
  elseif operator.done_by(s, request, OWN) then
    return reply.ok("0")
  elseif s.f.ve ~= version then
    return reply.err("SCHEDULE_VERSION")
  end
  planned.set(s, fields)
  local unknown = planned.unknown_budget(s)
  if unknown then
    return reply.err("BUDGET_NOT_FOUND", unknown)
  end
  operator.remember(s, request, "adjusted")
  schedule.save(s, now)
  return reply.ok("1")
end
end)()

F.advance_flow = (function()
local effort = M.effort
local clock = M.clock
local flow = M.flow
local propagate = M.propagate
local reply = M.reply
local work = M.work
return function(partition, id)
  local fl = flow.open(partition, id)
  if not fl then
    return reply.err("FLOW_NOT_FOUND")
  elseif not fl.f.lf then
    return reply.ok(fl.open, "")
  end
  local w = work.on(fl, clock.now_ms(partition))
  propagate.run(w)
  return reply.ok(fl.open, effort.left(w.looked))
end
end)()

F.advance_share = (function()
local budget = M.budget
local budget_line = M.budget_line
local clock = M.clock
local number = M.number
local places = M.places
local record = M.record
local reply = M.reply
local share = M.share
local share_line = M.share_line
local share_messages = M.share_messages
local share_rest = M.share_rest
local LOOK_AGAIN_MS = 1000
local function next_look(b, now, admitted, stopped, more)
  if more or stopped == "full" then
    return number.text(now), false
  end
  local at = stopped and number.text(number.later(now, admitted and LOOK_AGAIN_MS or budget.LINE_LOOK_MS))
  local is_over = b.f.gb ~= nil and tonumber(b.f.gb) <= now
  local yields = b.yields and not b.f.kp and share.has_free(b)
  return number.earlier(number.earlier(at, b.f.gb), b.f.ut), (is_over or yields) and not admitted
end
return function(partition, id, answer, urgent)
  local now = clock.now_ms(partition)
  local b = budget.load(partition, id)
  if not b or not b.f.fi then
    return reply.ok("", "0")
  end
  local is_due = b.f.la ~= nil and tonumber(b.f.la) <= now
  local tells, tells_of_line = answer == "" or urgent ~= "" or is_due, false
  if answer ~= "" then
    local doubts
    doubts, tells_of_line = share_messages.hear(b, answer, now)
    tells = tells or doubts
  end
  if b.f.so then
    record.set(b, "sw", is_due and share_messages.UNTOLD or b.f.sw)
    share_messages.again(b, now)
    budget.save(b, now)
    return reply.ok(b.f.so, "0")
  end
  local moved = {}
  local admitted, _, stopped, full = budget_line.move(b, moved, now)
  local more = budget_line.move_back(b, moved)
  if admitted then
    share_rest.keep(b, now)
  end
  local at, gives_back = next_look(b, now, admitted, stopped, more)
  record.set(b, "la", at)
  budget.save(b, now)
  for _, r in ipairs(moved) do
    places.commit(r, now)
  end
  b = budget.load(partition, id)
  local waiting, message = share_line.waiting(b), ""
  tells = tells or gives_back or (tells_of_line and waiting.score ~= nil) or (b.f.ut ~= nil and tonumber(b.f.ut) <= now)
  if tells or share_messages.wants(waiting) ~= b.f.sw then
    share_rest.count(b)
    if gives_back then
      share_rest.give_back(b)
      full = b
    end
    message = share_messages.next(b, waiting, share.free(full), urgent, now)
    budget.save(b, now)
  end
  return reply.ok(message, urgent ~= "" and "1" or "0")
end
end)()

F.append_frames = (function()
local clock = M.clock
local fence = M.fence
local frames = M.frames
local holders = M.holders
local reply = M.reply
local told = M.told
return function(partition, id, attempt, epoch, lease_id, text)
  local now = clock.now_ms(partition)
  local holder, refusal = holders.of(partition, id, fence.of(attempt, epoch, lease_id), now)
  if refusal then
    return refusal
  end
  local ordinals, highest = frames.append(partition, id, tonumber(attempt), text, now)
  if not ordinals then
    return reply.err("FRAME_SEQ", highest)
  elseif holder.tw then
    told.frames(partition, id)
  end
  return reply.ok(table.concat(ordinals, ","))
end
end)()

F.await = (function()
local execution = M.execution
local record = M.record
local reply = M.reply
local run = M.run
local store = M.store
return function(partition, id)
  local r = execution.open(partition, id)
  if not r then
    return reply.err("NOT_FOUND")
  elseif run.is_over(r) then
    return reply.ok("1")
  end
  record.set(r, "aw", "1")
  store.save(r)
  return reply.ok("0")
end
end)()

F.await_completions = (function()
local keys = M.keys
local log = M.log
local reply = M.reply
return function(partition, from, check, most, tag, flow, process)
  local place = log.place(partition, from, check)
  local items = log.items(partition, place, tonumber(most), tag, flow)
  if #items == 0 and not place.gap then
    redis.call("SADD", keys.log_readers(partition), process)
  end
  return reply.ok(place.gap and "1" or "0", place.seq, place.check, items)
end
end)()

F.await_flow = (function()
local clock = M.clock
local flow = M.flow
local record = M.record
local reply = M.reply
return function(partition, id)
  local fl = flow.open(partition, id)
  if not fl then
    return reply.err("FLOW_NOT_FOUND")
  elseif fl.f.ea then
    return reply.ok("1", 0)
  end
  record.set(fl, "aw", "1")
  flow.save(fl, clock.now_ms(partition))
  return reply.ok("0", fl.open)
end
end)()

F.await_frames = (function()
local frames_end = M.frames_end
local frames_page = M.frames_page
local keys = M.keys
local reply = M.reply
local summary = M.summary
return function(partition, id, asked, attempt, ordinal, most, seen)
  local f = frames_end.seen(partition, id)
  if not f then
    return reply.err("NOT_FOUND")
  end
  local of = asked ~= "" and tonumber(asked) or nil
  local items, through, gap =
    frames_page.of(partition, id, of, tonumber(attempt), tonumber(ordinal), false, tonumber(most))
  local over = through and frames_end.of(f, of) or ""
  local newer = summary.newer(partition, id, seen)
  if #items == 0 and not gap and over == "" and not newer and not f.tw then
    redis.call("HSET", keys.execution(partition, id), "tw", "1")
  end
  return reply.ok(gap and "1" or "0", over, frames_page.flat(items), newer or "")
end
end)()

F.backfill_schedule = (function()
local clock = M.clock
local firing = M.firing
local planned = M.planned
local reply = M.reply
local schedule = M.schedule
return function(partition, id, version, occurrences)
  local now = clock.now_ms(partition)
  local s = schedule.load(partition, id)
  if not s then
    return reply.err("SCHEDULE_NOT_FOUND")
  elseif s.f.ve ~= version then
    return reply.err("SCHEDULE_VERSION")
  end
  local looked, made = {}, 0
  local refused, ttl = firing.refusal(s, looked)
  firing.each(occurrences, function(at, execution)
    if not firing.is_there(s, execution) then
      made = made + 1
      if not refused then
        firing.store(s, at, execution, ttl, now, looked)
      end
    end
  end)
  if refused and made > 0 then
    return reply.ok(refused)
  elseif made > 0 then
    schedule.count(s, "backfilled", made)
    planned.next_version(s)
    schedule.save(s, now)
  end
  return reply.ok("")
end
end)()

F.cancel = (function()
local held = M.held
local run = M.run
return function(partition, id, attempt, epoch, lease_id, digest, reason)
  return held.by(partition, id, attempt, epoch, lease_id, "x" .. digest, function(r, now)
    run.mark_cancelled(r, reason, now)
    run.finish(r, "cancelled", now)
    return nil, "e cancelled"
  end)
end
end)()

F.cancel_execution = (function()
local run = M.run
local steered = M.steered
local told = M.told
local OWN = { cancelled = true, requested = true }
return function(partition, id, request, reason)
  return steered.by(partition, id, request, OWN, function(r, now)
    if run.is_over(r) then
      return "ended " .. r.f.st, false
    elseif r.f.li and r.f.ca then
      return "requested", false
    end
    run.set_cancelled(r, reason, now)
    if r.f.li then
      told.cancelled(r)
      return "requested", true
    end
    run.finish(r, "cancelled", now)
    return "cancelled", true
  end)
end
end)()

F.cancel_flow = (function()
local effort = M.effort
local clock = M.clock
local flow = M.flow
local operator = M.operator
local propagate = M.propagate
local reply = M.reply
local sweep = M.sweep
local work = M.work
local OWN = { cancelled = true }
local REACH = { o = 1, p = 2, a = 3 }
return function(partition, id, request, policy, reason)
  local now = clock.now_ms(partition)
  local fl = flow.open(partition, id)
  if not fl then
    return reply.err("FLOW_NOT_FOUND")
  elseif operator.done_by(fl, request, OWN) then
    return reply.ok("cancelled", fl.open, fl.f.lf and id or "")
  elseif fl.f.ea then
    return reply.ok("ended " .. fl.state, 0, "")
  end
  local w, _, reached = work.on(fl, now), flow.cancel(fl)
  operator.remember(fl, request, "cancelled")
  if not reached or REACH[reached] < REACH[policy] then
    sweep.begin(w, "r", policy, reason)
  end
  propagate.run(w)
  return reply.ok("cancelled", fl.open, effort.left(w.looked))
end
end)()

F.claim = (function()
local answers = M.answers
local arms = M.arms
local aside = M.aside
local claims = M.claims
local clock = M.clock
local execution = M.execution
local lanes = M.lanes
local offers = M.offers
local reply = M.reply
local waiters = M.waiters
local wakes = M.wakes
local function pass_on(partition, ln, id, found, now)
  local r = execution.open(partition, id)
  if r and r.queue then
    if not (ln and aside.waits_for_time(ln, r.f.lk, now)) then
      waiters.wake(r, r.queue)
    end
  elseif ln and not found and lanes.room(ln, now) > 0 then
    wakes.one(ln, {}, now)
  end
end
return function(
  partition, request, lane, offered, holder, instance, ttl, wanted,
  mode, tag, process, arm, crowded, woken, repeats)
  local now, most, ms = clock.now_ms(partition), tonumber(wanted), tonumber(ttl)
  local known, settings = answers.find(partition, "f", instance, lane, request, now)
  if known then
    return reply.ok(now, "1", "0", "0", claims.repeated(partition, request, known, now))
  elseif repeats == "1" then
    return reply.ok(now, "0", "0", "0", {})
  end
  local ask = { fresh = true, reclaims = mode == "a", tag = tag, offered = offered, lane = lane }
  ask.ln = settings and lanes.open_for_claim(partition, lane, settings)
  offers.made(partition, lane, offered, ms, now)
  local lease = { request = request, holder = holder, ttl = ttl, offered = offered }
  local taken = claims.take(partition, ask, lease, most, now)
  if #taken.ids > 0 then
    answers.remember(partition, "f", instance, lane, request, taken.ids, now, ms)
  end
  local again = taken.cut_off and #taken.ids == 0
  local drained = not taken.cut_off and #taken.ids < most
  if woken ~= "" then
    pass_on(partition, ask.ln, woken, #taken.ids > 0, now)
  end
  local armed = process ~= "" and drained and (#taken.ids == 0 or crowded == "1")
  if armed then
    arms.add(partition, lane, arms.member(process, arm, mode, offered, tag), now)
  end
  return reply.ok(now, "0", again and "1" or "0", armed and "1" or "0", taken.items)
end
end)()

F.claim_from_reclaim = (function()
local barrier = M.barrier
local clock = M.clock
local execution = M.execution
local kept = M.kept
local lease = M.lease
local record = M.record
local reply = M.reply
local INSTANCE_AT = 17
return function(partition, id, grant, holder, ttl)
  local now = clock.now_ms(partition)
  local r = execution.open(partition, id)
  if not r then
    return reply.err("NOT_FOUND")
  end
  local f = r.f
  if f.li == grant then
    local same = string.sub(f.lw, INSTANCE_AT) == string.sub(holder, INSTANCE_AT)
    if not same or tonumber(f.lx) <= now then
      return reply.err("RECLAIM_TOKEN_VOID")
    end
  elseif f.gi ~= grant or tonumber(f.gx) <= now or barrier.ends(r, now) then
    return reply.err("RECLAIM_TOKEN_VOID")
  else
    lease.issue(r, grant, holder, ttl, now)
    execution.commit(r, now)
  end
  return reply.ok(now, record.task(r), record.payload(r), kept.long_state(r))
end
end)()

F.close_waitpoint = (function()
local held = M.held
local reply = M.reply
local waitpoints = M.waitpoints
local waits = M.waits
return function(partition, id, attempt, epoch, lease_id, waitpoint)
  return held.by(partition, id, attempt, epoch, lease_id, nil, function(r, now)
    local p = waits.of(r).known[waitpoint]
    if not p then
      return reply.err("WAITPOINT_NOT_FOUND"), false
    elseif p.closer == epoch then
      return reply.ok("closed"), false
    elseif not waitpoints.is_open(p, now) then
      return reply.ok("already_closed"), false
    end
    waits.close(p)
    p.closer = epoch
    return reply.ok("closed")
  end)
end
end)()

F.complete = (function()
local held = M.held
local record = M.record
local run = M.run
return function(partition, id, attempt, epoch, lease_id, digest, given, content_type, result)
  return held.by(partition, id, attempt, epoch, lease_id, "c" .. digest, function(r, now)
    if given == "1" then
      record.set(r, "rk", content_type)
      record.set_text(r, "re", result)
    end
    run.finish(r, "completed", now)
    return nil, "e completed"
  end)
end
end)()

F.create_budget = (function()
local budget = M.budget
local clock = M.clock
local keys = M.keys
local number = M.number
local packed = M.packed
local record = M.record
local reply = M.reply
local window = M.window
return function(partition, id, fingerprint, action, every, anchor, tags, limits)
  local now = clock.now_ms(partition)
  local there = budget.load(partition, id)
  if there and there.is.fingerprint == fingerprint then
    return reply.ok("0")
  elseif there then
    return reply.err("BUDGET_ID")
  end
  local made = number.text(now) .. " " .. action .. " " .. every .. " " .. anchor .. " " .. fingerprint
  local values, flat, changed = packed.read(limits), { "s", made }, { s = true }
  for at = 1, #values, 3 do
    local field = "d:" .. values[at]
    flat[#flat + 1], flat[#flat + 2] = field, values[at + 1] .. " " .. values[at + 2] .. " 0 0"
    changed[field] = true
  end
  local b = budget.in_hand(partition, id, flat)
  b.changed = changed
  record.set(b, "tg", tags ~= "" and tags or nil)
  if b.is.every > 0 then
    record.set_number(b, "w", window.start_at(b, now))
  end
  redis.call("ZADD", keys.budgets(partition), 0, id)
  budget.save(b, now)
  return reply.ok("1")
end
end)()

F.create_schedule = (function()
local clock = M.clock
local keys = M.keys
local number = M.number
local planned = M.planned
local record = M.record
local reply = M.reply
local schedule = M.schedule
return function(partition, id, fingerprint, tags, fields)
  local now = clock.now_ms(partition)
  local there = schedule.load(partition, id)
  if there and string.match(there.f.s, "%x+$") == fingerprint then
    return reply.ok("0")
  elseif there then
    return reply.err("SCHEDULE_ID")
  end
  local s = schedule.in_hand(partition, id, {})
  record.set(s, "s", number.text(now) .. " " .. fingerprint)
  record.set(s, "tg", tags ~= "" and tags or nil)
  planned.set(s, fields)
  local unknown = planned.unknown_budget(s)
  if unknown then
    return reply.err("BUDGET_NOT_FOUND", unknown)
  end
  redis.call("ZADD", keys.schedules(partition), 0, id)
  schedule.save(s, now)
  return reply.ok("1")
end
end)()

F.create_waitpoint = (function()
local held = M.held
local reply = M.reply
local waitpoints = M.waitpoints
local waits = M.waits
return function(partition, id, attempt, epoch, lease_id, waitpoint, key, expires_in, kids)
  return held.by(partition, id, attempt, epoch, lease_id, nil, function(r, now)
    local w = waits.of(r)
    local known = w.known[waitpoint]
    if known and known.key ~= key then
      return reply.err("WAITPOINT_ID"), false
    elseif known and not waitpoints.is_open(known, now) then
      return reply.ok(waitpoints.parts(known)), false
    end
    local p, changed, refusal = waitpoints.open_or_new(w, waitpoint, key, expires_in, kids, now)
    if not p then
      return refusal, false
    elseif changed then
      return reply.ok(waitpoints.parts(p))
    end
    return reply.ok(waitpoints.parts(p)), false
  end)
end
end)()

F.delay = (function()
local held = M.held
local kept = M.kept
local reply = M.reply
local run = M.run
return function(partition, id, attempt, epoch, lease_id, digest, at, saves, state)
  return held.by(partition, id, attempt, epoch, lease_id, "d" .. digest, function(r, now)
    if r.f.ca then
      return reply.err("CANCEL_REQUESTED"), false
    end
    if saves == "1" then
      kept.set_state(r, state)
    end
    run.await_turn(r, "c", run.delay(r, tonumber(at), now))
    return nil, "p " .. at
  end)
end
end)()

F.delete_schedule = (function()
local keys = M.keys
local reply = M.reply
local schedule = M.schedule
local timers = M.timers
return function(partition, id)
  local s = schedule.load(partition, id)
  if not s then
    return reply.ok("0")
  end
  timers.remove(s)
  redis.call("ZREM", keys.schedules(partition), id)
  redis.call("UNLINK", keys.schedule(partition, id))
  return reply.ok("1")
end
end)()

F.deliver_signal = (function()
local clock = M.clock
local condition = M.condition
local execution = M.execution
local number = M.number
local reply = M.reply
local resume = M.resume
local signals = M.signals
local waits = M.waits
local function passed(at, now)
  return at and at ~= "" and tonumber(at) <= now
end
local function too_late(r, p, now)
  local suspension = p.state == "a" and waits.of(r).suspension
  return passed(r.f.dl, now) or suspension and passed(suspension.timeout, now)
end
local function keep(r, p, s, body, idempotency, now)
  local w = waits.of(r)
  s.order, s.waitpoint, s.at = w.accepted, p.id, number.text(now)
  w.accepted = w.accepted + 1
  w.bodies[number.text(s.order)] = body
  p.kept[#p.kept + 1] = s
  local satisfied = p.state == "a" and condition.satisfying(w)
  local outcome = p.state ~= "a" and "b" or satisfied and "r" or "c"
  local answer = signals.remember(w, p, s.id, idempotency, outcome)
  if satisfied then
    resume.by(r, "s", satisfied, now)
  end
  execution.commit(r, now)
  return reply.ok(answer)
end
return function(
  partition, id, waitpoint, key, expires_at, kid, verify_until, signal, source,
  name, category, correlated, correlation, idempotency, given, payload)
  local now = clock.now_ms(partition)
  local r = execution.open(partition, id)
  local p = r and waits.of(r).known[waitpoint]
  local genuine = p and p.key == key and p.kid == kid and p.expires == expires_at
  if not genuine or passed(expires_at, now) or passed(verify_until, now) then
    return reply.err("WAITPOINT_NOT_FOUND")
  end
  local before = signals.before(r, p, signal, idempotency)
  if before then
    return reply.ok(before)
  elseif p.state == "c" or too_late(r, p, now) then
    return reply.ok("closed")
  end
  local its_correlation = correlated == "1" and correlation or nil
  if p.kind and not signals.accepts(p, name, its_correlation) then
    return reply.ok("not_matched")
  elseif #p.kept >= signals.KEPT_MAX then
    return reply.err("SIGNALS")
  end
  local body = signals.body(name, category, its_correlation, given == "1" and payload or nil)
  return keep(r, p, { id = signal, source = source }, body, idempotency, now)
end
end)()

F.describe = (function()
local clock = M.clock
local execution = M.execution
local keys = M.keys
local queue = M.queue
local record = M.record
local reply = M.reply
return function(partition, id)
  local r = execution.open(partition, id)
  if not r then
    return reply.err("NOT_FOUND")
  end
  local ahead = r.queue and queue.ahead(r) or 0
  local long = r.f.B and redis.call("HGETALL", keys.long(partition, id)) or {}
  local waits = r.f.wv and redis.call("HGETALL", keys.waits(partition, id)) or {}
  return reply.ok(clock.now_ms(partition), ahead, record.flat(r), long, record.payload(r), waits)
end
end)()

F.describe_budget = (function()
local budget = M.budget
local clock = M.clock
local reply = M.reply
local shares = M.shares
return function(partition, id)
  local b = budget.load(partition, id)
  if not b then
    return reply.err("BUDGET_NOT_FOUND", id)
  end
  return reply.ok(clock.now_ms(partition), shares.waiting(b), budget.flat(b))
end
end)()

F.describe_flow = (function()
local flow = M.flow
local reply = M.reply
return function(partition, id)
  local fl = flow.open(partition, id)
  if not fl then
    return reply.err("FLOW_NOT_FOUND")
  end
  return reply.ok(flow.flat(fl))
end
end)()

F.describe_lane = (function()
local aside = M.aside
local clock = M.clock
local depth = M.depth
local keys = M.keys
local lanes = M.lanes
local number = M.number
local reply = M.reply
return function(partition, name, key)
  local text = redis.call("GET", keys.lane_settings(partition, name)) or ""
  local ln = text ~= "" and lanes.open(partition, name, text)
  local leases, tokens = lanes.held(partition, name)
  local key_held, arrival = 0, nil
  if key ~= "" then
    key_held = lanes.held_by_key(partition, name, key)
    arrival = redis.call("ZSCORE", keys.key_arrivals(partition, name), key)
  end
  local weights = ln and redis.call("HGETALL", keys.lane_weights(partition, name)) or {}
  return reply.ok(
    clock.now_ms(partition), text, weights, ln and ln.f.ta or "", tonumber(ln and ln.f.cl or "0"), leases, tokens,
    depth.ready(partition, name), depth.oldest(partition, name) or "", aside.count(partition, name),
    key_held, arrival and number.text(tonumber(arrival)) or "")
end
end)()

F.describe_schedule = (function()
local clock = M.clock
local reply = M.reply
local schedule = M.schedule
return function(partition, id)
  local s = schedule.load(partition, id)
  if not s then
    return reply.err("SCHEDULE_NOT_FOUND")
  end
  return reply.ok(clock.now_ms(partition), schedule.flat(s))
end
end)()

F.disarm = (function()
local arms = M.arms
local clock = M.clock
local offers = M.offers
local reply = M.reply
return function(partition, lane, process, arm, mode, offered, tag)
  local removed = arms.remove(partition, lane, arms.member(process, arm, mode, offered, tag))
  if removed then
    offers.made(partition, lane, offered, 0, clock.now_ms(partition))
  end
  return reply.ok(removed and "1" or "0")
end
end)()

F.extend_flow = (function()
local backlog = M.backlog
local effort = M.effort
local clock = M.clock
local extension = M.extension
local flow = M.flow
local nodes = M.nodes
local operator = M.operator
local packed = M.packed
local propagate = M.propagate
local reply = M.reply
local staged = M.staged
local work = M.work
local OWN = { extended = true }
local function refusal(fl, by, revision, first, count, edges, are_staged, values, touched_text)
  if fl.f.ea then
    return reply.err("FLOW_ENDED", fl.state)
  elseif fl.f.ca then
    return reply.err("FLOW_CANCELLED", fl.flow)
  elseif fl.revision ~= tonumber(revision) or fl.nodes ~= tonumber(first) then
    return reply.err("FLOW_REVISION", fl.revision)
  elseif are_staged == "1" and not staged.is_complete(fl, by, fl.nodes + tonumber(count)) then
    return reply.err("FLOW_NOT_STAGED")
  elseif are_staged == "0" and nodes.count(values) ~= tonumber(count) then
    return reply.err("FLOW_REVISION", fl.revision)
  elseif count == "0" and edges ~= "0" and touched_text == "" then
    return reply.err("FLOW_REVISION", fl.revision)
  elseif backlog.is_stored(fl, "s") then
    return reply.err("FLOW_BUSY")
  end
  return nil
end
return function(partition, id, request, by, revision, first, count, edges, are_staged, text, touched_text)
  local now = clock.now_ms(partition)
  local fl = flow.open(partition, id)
  if not fl then
    return reply.err("FLOW_NOT_FOUND")
  end
  local before = operator.done_by(fl, request, OWN)
  if before then
    return reply.ok(string.match(before, "%d+"), fl.f.lf and id or "")
  end
  local values = packed.read(text)
  local refused = refusal(fl, by, revision, first, count, edges, are_staged, values, touched_text)
  if refused then
    return refused
  end
  local w = work.on(fl, now)
  local touched, started = extension.touched(w, touched_text)
  if not touched then
    return started
  end
  refused = nodes.refused(partition, values, w.looked)
  if refused then
    return refused
  end
  local from = fl.nodes
  if are_staged == "1" then
    staged.seal(fl)
  else
    nodes.create(partition, id, from, values, staged.stored(fl), w.looked, now)
  end
  extension.note(fl, tonumber(count), tonumber(edges))
  operator.remember(fl, request, "extended " .. string.format("%d", fl.revision))
  flow.save(fl, now)
  w = work.again(w)
  extension.apply(w, touched)
  propagate.run(w)
  return reply.ok(fl.revision, effort.left(w.looked))
end
end)()

F.fail = (function()
local held = M.held
local retry = M.retry
local run = M.run
return function(partition, id, attempt, epoch, lease_id, digest, class, message, given, detail, retry_after)
  return held.by(partition, id, attempt, epoch, lease_id, "f" .. digest, function(r, now)
    run.record_failure(r, class, message, given == "1" and detail or nil, now)
    if class == "cancelled" then
      run.mark_cancelled(r, message, now)
    end
    return nil, retry.dispose(r, class, tonumber(retry_after), now)
  end)
end
end)()

F.find_offers = (function()
local clock = M.clock
local offers = M.offers
local reply = M.reply
return function(partition, lane, requires)
  local covered, offered = offers.cover(partition, lane, requires, clock.now_ms(partition))
  return reply.ok(covered and "1" or "0", offered)
end
end)()

F.fire_schedules = (function()
local agenda = M.agenda
local clock = M.clock
local firing = M.firing
local keys = M.keys
local packed = M.packed
local planned = M.planned
local record = M.record
local reply = M.reply
local schedule = M.schedule
local timers = M.timers
local VALUES = 7
local function optional(text)
  return text ~= "" and text or nil
end
local function carry_out(partition, values, at, now, looked)
  if redis.call("HGET", keys.schedule(partition, values[at]), "ve") ~= values[at + 1] then
    return 0
  end
  local s = schedule.load(partition, values[at])
  planned.next_version(s)
  if values[at + 2] ~= "0" then
    schedule.count(s, "missed", tonumber(values[at + 2]))
  end
  record.set(s, "th", values[at + 3])
  record.set(s, "nx", optional(values[at + 4]))
  record.set(s, "la", optional(values[at + 5]))
  firing.fire(s, values[at + 6], now, looked)
  schedule.save(s, now)
  return 1
end
return function(partition, tag, plans)
  local now = clock.now_ms(partition)
  local values, looked, fired, broken = packed.read(plans), {}, 0, ""
  for at = 1, #values, VALUES do
    local is_sound, result = pcall(carry_out, partition, values, at, now, looked)
    if is_sound then
      fired = fired + result
    else
      timers.postpone(partition, tag, schedule.due_name(values[at]), now)
      broken = broken .. "schedule " .. values[at] .. ": " .. tostring(result) .. "\n"
    end
  end
  return reply.ok(now, agenda.next(partition, tag) or "", fired, broken)
end
end)()

F.hold = (function()
local reasons = M.reasons
local record = M.record
local reply = M.reply
local run = M.run
local steered = M.steered
local OWN = { held = true }
return function(partition, id, request)
  return steered.by(partition, id, request, OWN, function(r)
    if run.is_over(r) then
      return nil, false, reply.err("ALREADY_TERMINAL", r.f.st)
    elseif reasons.has(r, reasons.HOLD) then
      return "already", false
    end
    reasons.add(r, reasons.HOLD)
    record.remove(r, record.TOKEN)
    if not r.f.li and r.f.st ~= "suspended" and not r.f.cw then
      r.f.st = reasons.state(r)
    end
    return "held", true
  end)
end
end)()

F.list = (function()
local flow = M.flow
local keys = M.keys
local record = M.record
local reply = M.reply
local tags = M.tags
local function wants(f, filter)
  return (filter.states == "" or string.find(filter.states, "," .. f.st .. ",", 1, true))
    and (filter.lane == "" or filter.lane == f.ln)
    and (filter.kind == "" or filter.kind == f.kd)
    and tags.has({ f = f }, filter.tag)
end
return function(partition, after, examined, most, states, lane, kind, tag)
  local filter = { states = states, lane = lane, kind = kind, tag = tag }
  local from = after == "" and "-" or "(" .. after
  local ids = redis.call("ZRANGE", keys.all(partition), from, "+", "BYLEX", "LIMIT", 0, examined + 1)
  local items, last, seen = {}, "", 0
  for _, id in ipairs(ids) do
    if seen == tonumber(examined) or #items == tonumber(most) then
      return reply.ok(last, seen, "1", items)
    end
    local f = record.summary(partition, id)
    if f and wants(f, filter) and not (f.nd and flow.hides({ partition = partition, f = f })) then
      items[#items + 1] = { id, f.ln, f.kd, f.st, f.ai or "", f.pr, f.at, f.ea or "" }
    end
    last, seen = id, seen + 1
  end
  return reply.ok(last, seen, "0", items)
end
end)()

F.list_budgets = (function()
local budget = M.budget
local clock = M.clock
local keys = M.keys
local reply = M.reply
local shares = M.shares
return function(partition, after, most)
  local from, items = after == "" and "-" or "(" .. after, {}
  for _, id in ipairs(redis.call("ZRANGE", keys.budgets(partition), from, "+", "BYLEX", "LIMIT", 0, most)) do
    local b = budget.load(partition, id)
    items[#items + 1] = { id, shares.waiting(b), budget.flat(b) }
  end
  return reply.ok(clock.now_ms(partition), items)
end
end)()

F.list_flows = (function()
local flow = M.flow
local keys = M.keys
local reply = M.reply
local tags = M.tags
return function(partition, after, examined, most, states, tag)
  local from = after == "" and "-" or "(" .. after
  local ids = redis.call("ZRANGE", keys.flows(partition), from, "+", "BYLEX", "LIMIT", 0, examined + 1)
  local items, last, seen = {}, "", 0
  for _, id in ipairs(ids) do
    if seen == tonumber(examined) or #items == tonumber(most) then
      return reply.ok(last, seen, "1", items)
    end
    local fl = flow.open(partition, id)
    if fl and (states == "" or string.find(states, "," .. fl.state .. ",", 1, true)) and tags.has(fl, tag) then
      items[#items + 1] = { id, fl.state, fl.nodes, fl.open, fl.at, fl.f.ea or "" }
    end
    last, seen = id, seen + 1
  end
  return reply.ok(last, seen, "0", items)
end
end)()

F.list_lanes = (function()
local keys = M.keys
local reply = M.reply
return function(partition, after, most)
  local from = after == "" and "-" or "(" .. after
  local key = keys.steered_lanes(partition)
  return reply.ok(redis.call("ZRANGE", key, from, "+", "BYLEX", "LIMIT", 0, most))
end
end)()

F.list_schedules = (function()
local keys = M.keys
local reply = M.reply
local schedule = M.schedule
return function(partition, after, most)
  local from, items = after == "" and "-" or "(" .. after, {}
  for _, id in ipairs(redis.call("ZRANGE", keys.schedules(partition), from, "+", "BYLEX", "LIMIT", 0, most)) do
    items[#items + 1] = { id, schedule.flat(schedule.load(partition, id)) }
  end
  return reply.ok(items)
end
end)()

F.list_waitpoints = (function()
local clock = M.clock
local keys = M.keys
local record = M.record
local reply = M.reply
local waitpoints = M.waitpoints
local waits = M.waits
local LOADED_MAX = 10000
local function of_one(r, after)
  local members = {}
  for _, p in ipairs(waits.of(r).all) do
    local member = p.id .. " " .. r.id
    if p.state ~= "c" and member > after then
      members[#members + 1] = member
    end
  end
  table.sort(members)
  return members
end
return function(partition, execution, after, examined, most)
  local now, known = clock.now_ms(partition), {}
  local members
  if execution ~= "" then
    known[execution] = record.load(partition, execution)
    if not known[execution] then
      return reply.err("NOT_FOUND")
    end
    members = of_one(known[execution], after)
  else
    local from = after == "" and "-" or "(" .. after
    local key = keys.open_waitpoints(partition)
    members = redis.call("ZRANGE", key, from, "+", "BYLEX", "LIMIT", 0, examined + 1)
  end
  local items, last, seen, loaded = {}, "", 0, 0
  for _, member in ipairs(members) do
    if seen == tonumber(examined) or #items == tonumber(most) or loaded > LOADED_MAX then
      return reply.ok(last, seen, "1", items)
    end
    local id, of = string.match(member, "^(%x+) (%x+)$")
    if not known[of] then
      known[of] = record.load(partition, of)
      loaded = loaded + (known[of] and waits.of(known[of]).accepted or 0) + 1
    end
    local p = known[of] and waits.of(known[of]).known[id]
    if p and waitpoints.is_open(p, now) then
      items[#items + 1] = { id, of, p.key, p.state, p.kind or "", p.created, p.expires, #p.kept }
    end
    last, seen = member, seen + 1
  end
  return reply.ok(last, seen, "0", items)
end
end)()

F.now = (function()
local clock = M.clock
local reply = M.reply
return function(partition)
  return reply.ok(clock.now_ms(partition))
end
end)()

F.observe_signals = (function()
local clock = M.clock
local execution = M.execution
local fence = M.fence
local keys = M.keys
local reply = M.reply
local waits = M.waits
return function(partition, id, attempt, epoch, lease_id)
  local r = execution.open(partition, id)
  if not r then
    return reply.err("NOT_FOUND")
  end
  local refusal = fence.refused(r, fence.of(attempt, epoch, lease_id), clock.now_ms(partition))
  if refusal then
    return refusal
  end
  local resumed = waits.of(r).resumed
  if not resumed then
    return reply.ok("", "", {})
  end
  local found = {}
  for i, s in ipairs(resumed.signals) do
    local body = redis.call("HGET", keys.signals(partition, id), s.order)
    found[i] = { s.waitpoint, s.id, s.at, s.source, body }
  end
  return reply.ok(resumed.how, resumed.of, found)
end
end)()

F.open = (function()
local keys = M.keys
local reply = M.reply
return function(partition, partitions, protocol)
  local mark = keys.mark(partition)
  redis.call("HSETNX", mark, "partitions", partitions)
  redis.call("HSETNX", mark, "protocol", protocol)
  local stands = redis.call("HMGET", mark, "partitions", "protocol")
  return reply.ok(stands[1], stands[2])
end
end)()

F.open_share = (function()
local budget = M.budget
local clock = M.clock
local keys = M.keys
local reply = M.reply
local share = M.share
return function(partition, id, made, generation, tags, figures)
  if redis.call("EXISTS", keys.budget(partition, id)) == 1 then
    return reply.ok("0")
  end
  local at, action, fingerprint = string.match(made, "^(%d+) (%l) %d+ %d+ (%x+)$")
  local flat, changed = { "s", at .. " " .. action .. " 0 0 " .. fingerprint, "fi", figures }, { s = true, fi = true }
  if tags ~= "" then
    flat[5], flat[6], changed.tg = "tg", tags, true
  end
  if generation ~= "" then
    flat[#flat + 1], flat[#flat + 2], changed.ge = "ge", generation, true
  end
  local b = budget.in_hand(partition, id, flat)
  for name in pairs(share.home(b)) do
    local field = "d:" .. name
    flat[#flat + 1], flat[#flat + 2] = field, "- 0 0 0"
    changed[field] = true
  end
  b = budget.in_hand(partition, id, flat)
  b.changed = changed
  local now = clock.now_ms(partition)
  share.note(b, now, true)
  budget.save(b, now)
  return reply.ok("1")
end
end)()

F.pass_on = (function()
local clock = M.clock
local execution = M.execution
local lane_due = M.lane_due
local lanes = M.lanes
local reply = M.reply
local waiters = M.waiters
local wakes = M.wakes
return function(partition, id)
  local r = execution.open(partition, id)
  if not r or r.queue then
    return reply.ok(r and waiters.wake(r, r.queue) and "1" or "0")
  end
  local now, ln = clock.now_ms(partition), lane_due.load(partition, r.f.ln)
  local room = ln and lanes.room(ln, now) or 0
  return reply.ok(room > 0 and wakes.one(ln, {}, now) and "1" or "0")
end
end)()

F.postpone_schedules = (function()
local agenda = M.agenda
local clock = M.clock
local packed = M.packed
local reply = M.reply
local schedule = M.schedule
local timers = M.timers
return function(partition, tag, ids, ms)
  local now = clock.now_ms(partition)
  for _, id in ipairs(packed.read(ids)) do
    timers.postpone(partition, tag, schedule.due_name(id), now, tonumber(ms))
  end
  return reply.ok(now, agenda.next(partition, tag) or "")
end
end)()

F.progress = (function()
local held = M.held
local record = M.record
local reply = M.reply
return function(partition, id, attempt, epoch, lease_id, percent, message, told)
  return held.by(partition, id, attempt, epoch, lease_id, nil, function(r)
    record.set(r, "pp", percent)
    record.set_text(r, "pm", told == "1" and message or nil)
    return reply.ok()
  end)
end
end)()

F.read_completions = (function()
local log = M.log
local reply = M.reply
return function(partition, from, check, most, tag, flow)
  local place = log.place(partition, from, check)
  local items = log.items(partition, place, tonumber(most), tag, flow)
  return reply.ok(place.gap and "1" or "0", place.seq, place.check, items)
end
end)()

F.read_frames = (function()
local frames_end = M.frames_end
local frames_page = M.frames_page
local reply = M.reply
local summary = M.summary
return function(partition, id, asked, attempt, ordinal, back, most, seen)
  local f = frames_end.seen(partition, id)
  if not f then
    return reply.err("NOT_FOUND")
  end
  local of = asked ~= "" and tonumber(asked) or nil
  local items, through, gap =
    frames_page.of(partition, id, of, tonumber(attempt), tonumber(ordinal), back == "1", tonumber(most))
  local over = through and back == "0" and frames_end.of(f, of) or ""
  local newer = summary.newer(partition, id, seen)
  return reply.ok(gap and "1" or "0", over, frames_page.flat(items), newer or "")
end
end)()

F.read_graph = (function()
local flow = M.flow
local keys = M.keys
local member = M.member
local record = M.record
local reply = M.reply
return function(partition, id, from, most)
  local fl = flow.open(partition, id)
  if not fl then
    return reply.err("FLOW_NOT_FOUND")
  end
  local items = {}
  for index = tonumber(from), math.min(fl.nodes, from + most) - 1 do
    local execution = member.id(id, index)
    local f = record.summary(partition, execution)
    local edges = redis.call("HMGET", keys.execution(partition, execution), "ch", "ck")
    local children = edges[1] or edges[2] and redis.call("GET", keys.links(partition, "c", execution)) or ""
    items[#items + 1] = { f.nd, f.dp, f.ln, f.kd, f.st, f.ai or "", children }
  end
  return reply.ok(fl.revision, fl.nodes, items)
end
end)()

F.reclaimable = (function()
local answers = M.answers
local claims = M.claims
local clock = M.clock
local lanes = M.lanes
local offers = M.offers
local reply = M.reply
local TOKEN_TTL_MS = 5000
return function(partition, request, lane, offered, instance, most, tag, repeats)
  local now = clock.now_ms(partition)
  local known, settings = answers.find(partition, "c", instance, lane, request, now)
  if known then
    return reply.ok("1", "0", claims.repeated(partition, request, known, now))
  elseif repeats == "1" then
    return reply.ok("0", "0", {})
  end
  local ask = { fresh = false, reclaims = true, tag = tag, offered = offered, lane = lane }
  ask.ln = settings and lanes.open(partition, lane, settings)
  offers.made(partition, lane, offered, 0, now)
  local wanted = { request = request, offered = offered }
  local taken = claims.take(partition, ask, wanted, tonumber(most), now)
  if #taken.ids > 0 then
    answers.remember(partition, "c", instance, lane, request, taken.ids, now, TOKEN_TTL_MS)
  end
  return reply.ok("0", taken.cut_off and #taken.ids == 0 and "1" or "0", taken.items)
end
end)()

F.record_step = (function()
local held = M.held
local kept = M.kept
local reply = M.reply
return function(partition, id, attempt, epoch, lease_id, name, content_type, result)
  return held.by(partition, id, attempt, epoch, lease_id, nil, function(r, now)
    local its_type, stands = kept.step(r, name)
    if stands and its_type == content_type and stands == result then
      return reply.ok("recorded", "", ""), false
    elseif stands then
      return reply.ok("stands", its_type, stands), false
    end
    local limit, reached = kept.add_step(r, name, content_type, result, now)
    if limit == "STEPS" then
      return reply.err("STEPS", reached), false
    elseif limit then
      return reply.err("STEP_RESULTS", reached), false
    end
    return reply.ok("recorded", "", "")
  end)
end
end)()

F.release_hold = (function()
local number = M.number
local reasons = M.reasons
local reply = M.reply
local run = M.run
local steered = M.steered
local OWN = { released = true }
return function(partition, id, request)
  return steered.by(partition, id, request, OWN, function(r, now)
    if run.is_over(r) then
      return nil, false, reply.err("ALREADY_TERMINAL", r.f.st)
    elseif not reasons.has(r, reasons.HOLD) then
      return "not_held", false
    end
    reasons.remove(r, reasons.HOLD)
    if not r.f.li and r.f.st ~= "suspended" and not r.f.cw then
      r.f.st = reasons.state(r)
      if r.f.st == "ready" then
        r.f.ra = number.text(now)
      end
    end
    return "released", true
  end)
end
end)()

F.renew = (function()
local clock = M.clock
local execution = M.execution
local fence = M.fence
local lease = M.lease
local number = M.number
local offers = M.offers
local reply = M.reply
local FIELDS = 4
local function one(partition, args, at, now)
  local r = execution.open(partition, args[at])
  if not r then
    return reply.err("NOT_FOUND")
  end
  local its = fence.of(args[at + 1], args[at + 2], args[at + 3])
  local refusal = fence.refused(r, its, now)
  if refusal then
    return refusal
  elseif r.f.ca then
    return reply.err("CANCEL_REQUESTED")
  end
  local expires_at = lease.expiry(r, now, tonumber(r.f.lt))
  r.f.lx = number.text(expires_at)
  execution.commit(r, now)
  if r.f.of or r.f.B then
    offers.again(r, now)
  end
  return reply.ok(number.text(expires_at))
end
return function(partition, args)
  local now = clock.now_ms(partition)
  local outcomes = {}
  for at = 1, #args, FIELDS do
    outcomes[#outcomes + 1] = one(partition, args, at, now)
  end
  return reply.ok(outcomes)
end
end)()

F.replay = (function()
local flow = M.flow
local joins = M.joins
local member = M.member
local record = M.record
local reply = M.reply
local run = M.run
local steered = M.steered
local waits = M.waits
local OWN = { replayed = true }
local SHORT = { "ca", "pp", "fc", "fa", "ft", "rk" }
local LONG = { "cr", "pm", "fm", "fd", "re", "ug" }
local function reopen(r)
  if not flow.open(r.partition, member.node(r).flow) then
    return reply.err("NOT_FOUND")
  elseif flow.cancel_of(r) then
    return reply.err("FLOW_CANCELLED", member.node(r).flow)
  end
  local d, decision = joins.of(r), joins.decided(r)
  if decision == "s" then
    return reply.err("DEPENDENCIES_UNMET")
  end
  d.was_unhandled, d.unhandled, d.decision = d.unhandled, false, decision
  joins.keep(r)
  return nil
end
return function(partition, id, request)
  return steered.by(partition, id, request, OWN, function(r, now)
    if not run.is_over(r) then
      return nil, false, reply.err("NOT_TERMINAL")
    end
    if r.f.nd then
      local refused = reopen(r)
      if refused then
        return nil, false, refused
      end
    end
    for _, field in ipairs(SHORT) do
      record.set(r, field, nil)
    end
    for _, field in ipairs(LONG) do
      record.set_text(r, field, nil)
    end
    waits.forget_all(r)
    r.f.rt, r.f.rc = "0", "0"
    run.await_turn(r, nil, run.open_again(r, now))
    local next_attempt = r.f.ai and tonumber(r.f.ai) + 1 or 0
    return "replayed " .. string.format("%d", next_attempt), true
  end)
end
end)()

F.report_usage = (function()
local amounts = M.amounts
local budget = M.budget
local held = M.held
local kept = M.kept
local record = M.record
local reply = M.reply
local reservation = M.reservation
local usage = M.usage
return function(partition, id, attempt, epoch, lease_id, given, key, text, last)
  return held.by(partition, id, attempt, epoch, lease_id, nil, function(r, now)
    if given == "1" and kept.is_reported(r, key) then
      return reply.ok("already"), false
    end
    local used = amounts.read(text)
    local total, limit, reached = usage.total(r, used)
    if limit == "USAGE_SUM" then
      return reply.err("USAGE_SUM", reached), false
    elseif limit then
      return reply.err("USAGE_DIMENSIONS", reached), false
    end
    local after = usage.left(r, used)
    local budgets, refused, soft = usage.count(r, used, after, now, last == "1")
    if not budgets and soft then
      return reply.err("USAGE_SUM", soft), false
    elseif not budgets then
      return reply.ok(refused), false
    end
    for _, b in ipairs(budgets) do
      budget.save(b, now)
    end
    reservation.set(r, amounts.text(after))
    record.set_text(r, "ug", amounts.text(total))
    if given == "1" then
      kept.add_report(r, key)
    end
    return reply.ok(soft or "ok")
  end)
end
end)()

F.resume_execution = (function()
local resume = M.resume
local steered = M.steered
local OWN = { resumed = true }
return function(partition, id, request, reason)
  return steered.by(partition, id, request, OWN, function(r, now)
    if r.f.st ~= "suspended" then
      return "not_suspended " .. r.f.st, false
    end
    resume.by(r, "o" .. reason, {}, now)
    return "resumed", true
  end)
end
end)()

F.revoke = (function()
local barrier = M.barrier
local lease = M.lease
local run = M.run
local steered = M.steered
local OWN = { revoked = true }
return function(partition, id, request)
  return steered.by(partition, id, request, OWN, function(r, now)
    if not r.f.li then
      return "not_active", false
    end
    lease.finish(r, lease.REVOKED)
    barrier.hear_of(r)
    if r.f.ca then
      run.finish(r, "cancelled", now)
    else
      run.close_attempt(r)
      run.await_turn(r, "c", now)
    end
    return "revoked", true
  end)
end
end)()

F.save_state = (function()
local held = M.held
local kept = M.kept
local reply = M.reply
return function(partition, id, attempt, epoch, lease_id, given, state)
  return held.by(partition, id, attempt, epoch, lease_id, nil, function(r)
    kept.set_state(r, given == "1" and state or nil)
    return reply.ok()
  end)
end
end)()

F.set_tags = (function()
local clock = M.clock
local execution = M.execution
local operator = M.operator
local packed = M.packed
local placement = M.placement
local queue = M.queue
local record = M.record
local reply = M.reply
local tags = M.tags
local timers = M.timers
local TAGS_MAX = 16
local OWN = { tagged = true }
local function changed(r, changes)
  local values, names, lines = {}, {}, {}
  tags.each(r, function(tag)
    local key, value = string.match(tag, "^(%S+) (.*)$")
    values[key] = value
  end)
  local all = packed.read(changes)
  for at = 1, #all, 3 do
    values[all[at]] = all[at + 1] == "1" and all[at + 2] or nil
  end
  for key in pairs(values) do
    names[#names + 1] = key
  end
  table.sort(names)
  for _, key in ipairs(names) do
    lines[#lines + 1] = key .. " " .. values[key]
  end
  return table.concat(lines, "\n"), #lines
end
return function(partition, id, request, changes)
  local now = clock.now_ms(partition)
  local r = execution.open(partition, id)
  if not r then
    return reply.err("NOT_FOUND")
  elseif operator.done_by(r, request, OWN) then
    return reply.ok(r.f.tg or "")
  end
  local text, count = changed(r, changes)
  if count > TAGS_MAX then
    return reply.err("TAGS", count)
  end
  if r.queue == "c" then
    queue.remove(r, "c")
  end
  timers.remove(r)
  record.set(r, "tg", text ~= "" and text or nil)
  if r.queue == "c" then
    queue.insert(r, "c", placement.score(r))
  end
  if r.due then
    timers.set(r, r.due, now)
  end
  operator.remember(r, request, "tagged")
  execution.commit(r, now)
  return reply.ok(text)
end
end)()

F.settle_share = (function()
local budget = M.budget
local clock = M.clock
local reply = M.reply
local settling = M.settling
local window = M.window
return function(partition, id, name, message)
  local now = clock.now_ms(partition)
  local b = budget.load(partition, id)
  if not b then
    return reply.err("BUDGET_NOT_FOUND", id)
  end
  window.roll(b, now)
  local answer, recalled = settling.hear(b, name, message, now)
  budget.save(b, now)
  return reply.ok(answer, recalled)
end
end)()

F.signing_key = (function()
local keys = M.keys
local reply = M.reply
return function(partition, proposed)
  local stands = redis.call("GET", keys.signing_key(partition))
  if not stands and proposed ~= "" then
    redis.call("SET", keys.signing_key(partition), proposed)
    stands = proposed
  end
  return reply.ok(stands or "")
end
end)()

F.stage_flow = (function()
local clock = M.clock
local flow = M.flow
local keys = M.keys
local nodes = M.nodes
local number = M.number
local record = M.record
local packed = M.packed
local reply = M.reply
local staged = M.staged
local function refusal(fl, fingerprint, by, first)
  if fl.state == "removing" then
    return fingerprint ~= "" and reply.err("FLOW_BUSY") or reply.err("FLOW_NOT_FOUND")
  elseif fingerprint ~= "" and fl.fingerprint ~= fingerprint then
    return reply.err("FLOW_ID")
  elseif fingerprint == "" and fl.state == "staged" then
    return reply.err("FLOW_NOT_FOUND")
  elseif first < fl.nodes then
    return reply.err("FLOW_REVISION", fl.revision)
  elseif not staged.may_go_on(fl, by, first) then
    return reply.err("FLOW_NOT_STAGED")
  end
  return nil
end
local function fresh(partition, id, fingerprint, now)
  local submitted, standing = number.text(now) .. " i 0 " .. fingerprint, "staged 0 0 0 0 0"
  local fl = flow.new(partition, id, submitted, standing)
  fl.f = {}
  record.set(fl, "s", submitted)
  return fl
end
return function(partition, id, fingerprint, by, first, text)
  local now = clock.now_ms(partition)
  local fl = flow.load(partition, id)
  first = tonumber(first)
  if not fl and fingerprint == "" then
    return reply.err("FLOW_NOT_FOUND")
  end
  fl = fl or fresh(partition, id, fingerprint, now)
  local refused = refusal(fl, fingerprint, by, first)
  if refused then
    return fingerprint ~= "" and fl.state ~= "staged" and fl.fingerprint == fingerprint and reply.ok("1") or refused
  end
  local values = packed.read(text)
  local unfit = nodes.refused(partition, values, {})
  if unfit then
    return unfit
  end
  if first == fl.nodes then
    redis.call("DEL", keys.backlog(partition, "x", id))
  end
  local count = nodes.stage(partition, id, first, values, now)
  staged.note(fl, by, first + count)
  if fl.state == "staged" then
    record.set_number(fl, "sg", number.later(now, staged.KEPT_MS))
  end
  flow.save(fl, now)
  return reply.ok("0")
end
end)()

F.steps = (function()
local clock = M.clock
local execution = M.execution
local fence = M.fence
local keys = M.keys
local reply = M.reply
return function(partition, id, attempt, epoch, lease_id)
  local r = execution.open(partition, id)
  if not r then
    return reply.err("NOT_FOUND")
  end
  local refusal = fence.refused(r, fence.of(attempt, epoch, lease_id), clock.now_ms(partition))
  if refusal then
    return refusal
  end
  return reply.ok(r.f.sn and redis.call("HGETALL", keys.steps(partition, id)) or {})
end
end)()

F.submit = (function()
local clock = M.clock
local drawn = M.drawn
local execution = M.execution
local idempotency = M.idempotency
local intake = M.intake
local keys = M.keys
local reply = M.reply
local submission = M.submission
local FIELDS = 18
local function store(partition, id, args, at, ttl, now, looked)
  local r = submission.record(partition, id, args, at, ttl, now)
  r.looked = looked
  execution.create(r, now)
  intake.stored(r, looked)
end
local function one(partition, args, at, now, looked)
  local id = args[at]
  local same = redis.call("HGET", keys.execution(partition, id), "p")
  if same then
    if string.sub(same, 1, #args[at + 1] + 1) == args[at + 1] .. " " then
      return reply.ok("new")
    end
    return reply.err("SUBMISSION_ID", id)
  end
  local key = args[at + 15] ~= "" and keys.idempotency(partition, args[at + 5], args[at + 15])
  local held = key and idempotency.check(partition, key, id, args[at + 17], now)
  if held then
    return held
  end
  local unknown = drawn.unknown(partition, args[at + 12])
  if unknown then
    return reply.err("BUDGET_NOT_FOUND", unknown)
  end
  local ttl, refused = intake.admits(partition, args[at + 2], looked)
  if refused then
    return refused
  elseif key then
    idempotency.take(partition, key, id, now, tonumber(args[at + 16]))
  end
  store(partition, id, args, at, ttl, now, looked)
  return reply.ok("new")
end
return function(partition, args)
  local now = clock.now_ms(partition)
  local outcomes, looked = {}, {}
  for at = 1, #args, FIELDS do
    outcomes[#outcomes + 1] = one(partition, args, at, now, looked)
  end
  return reply.ok(outcomes)
end
end)()

F.submit_flow = (function()
local effort = M.effort
local clock = M.clock
local fence = M.fence
local flow = M.flow
local keys = M.keys
local nodes = M.nodes
local number = M.number
local packed = M.packed
local propagate = M.propagate
local record = M.record
local reply = M.reply
local staged = M.staged
local starters = M.starters
local work = M.work
return function(
  partition, id, fingerprint, policy, retention, deadline, tags, count, edges,
  parent, attempt, epoch, lease_id, are_staged, text)
  local now = clock.now_ms(partition)
  local there = flow.load(partition, id)
  if there and there.fingerprint ~= fingerprint then
    return reply.err("FLOW_ID")
  elseif there and flow.is_seen(there.state) then
    return reply.ok(there.f.lf and id or "")
  elseif there and (there.state == "removing" or are_staged == "0") then
    return reply.err("FLOW_BUSY")
  elseif are_staged == "1" and not (there and staged.is_complete(there, fingerprint, tonumber(count))) then
    return reply.err("FLOW_NOT_STAGED")
  end
  local starter, depth, refused
  if parent ~= "" then
    starter, depth, refused = starters.of(partition, parent, fence.of(attempt, epoch, lease_id), now)
    if refused then
      return refused
    end
  end
  local values = packed.read(text)
  local refusal = nodes.refused(partition, values, {})
  if refusal then
    return refusal
  end
  local letter, budgets = string.match(policy, "^(%l)(.*)$")
  local submitted = number.text(now) .. " " .. letter .. " " .. retention .. " " .. fingerprint
  local fl = flow.new(partition, id, submitted, "open 1 " .. count .. " " .. edges .. " " .. count .. " 0")
  fl.due = there and there.due
  fl.f = { sx = there and there.f.sx, sg = there and there.f.sg, sm = there and there.f.sm }
  record.set(fl, "s", submitted)
  record.set(fl, "dl", deadline ~= "" and deadline or nil)
  record.set(fl, "tg", tags ~= "" and tags or nil)
  record.set(fl, "bu", budgets ~= "" and budgets or nil)
  redis.call("ZADD", keys.flows(partition), 0, id)
  if starter then
    record.set(fl, "pa", parent)
    record.set_number(fl, "dd", depth)
    starters.add(starter, id, now)
  end
  local w = work.on(fl, now)
  if are_staged == "1" then
    staged.seal(fl)
    flow.save(fl, now)
    w = work.on(fl, now)
  else
    nodes.create(partition, id, 0, values, 0, w.looked, now)
  end
  propagate.run(w)
  return reply.ok(effort.left(w.looked))
end
end)()

F.suspend = (function()
local condition = M.condition
local held = M.held
local kept = M.kept
local number = M.number
local reply = M.reply
local specs = M.specs
local waitpoints = M.waitpoints
local waits = M.waits
local waits_text = M.waits_text
local function by_place(one, other)
  return tonumber(one.place) < tonumber(other.place)
end
local function given_before(r, epoch, released, count)
  local mine, parts = {}, {}
  for _, p in ipairs(waits.of(r).all) do
    if p.epoch == epoch then
      mine[#mine + 1] = p
    end
  end
  if #mine ~= count then
    return reply.err("ALREADY_RELEASED", released)
  end
  table.sort(mine, by_place)
  for i, p in ipairs(mine) do
    parts[i] = waitpoints.parts(p)
  end
  return reply.ok("waiting", parts)
end
local function satisfied_at_once(w, signals, epoch, digest)
  local of = waits.suspended_keys(w)
  waits.end_suspension(w)
  for _, p in ipairs(w.all) do
    if p.epoch == epoch then
      p.epoch, p.place = nil, nil
    end
  end
  w.resumed, w.satisfied = { how = "s", of = of, signals = signals }, epoch .. " " .. digest
  return reply.ok("satisfied", {})
end
return function(partition, id, attempt, epoch, lease_id, digest, wanted, groups, timeout, behavior, kids, saves, state)
  local asked = specs.read(wanted)
  return held.by(partition, id, attempt, epoch, lease_id, "s" .. digest, function(r, now)
    local w = waits.of(r)
    if w.satisfied == epoch .. " " .. digest then
      return reply.ok("satisfied", {}), false
    elseif r.f.ca then
      return reply.err("CANCEL_REQUESTED"), false
    end
    local parts = {}
    for i, spec in ipairs(asked) do
      local p, refusal = waitpoints.activate(r, spec, epoch, i - 1, kids, now)
      if not p then
        return refusal, false
      end
      parts[i] = waitpoints.parts(p)
    end
    local ends_at = timeout ~= "" and number.text(number.later(now, tonumber(timeout))) or "-"
    local text = epoch .. " " .. number.text(now) .. " " .. ends_at .. " " .. behavior .. " " .. groups
    w.suspension = waits_text.suspension(text)
    if saves == "1" then
      kept.set_state(r, state)
    end
    local signals = condition.satisfying(w)
    if signals then
      return satisfied_at_once(w, signals, epoch, digest)
    end
    w.resumed, w.satisfied = nil, nil
    r.f.st, r.f.ra = "suspended", number.text(now)
    return reply.ok("waiting", parts), "s"
  end, function(r, released)
    return given_before(r, epoch, released, #asked)
  end)
end
end)()

F.tick = (function()
local agenda = M.agenda
local budget = M.budget
local budget_due = M.budget_due
local clock = M.clock
local due = M.due
local effort = M.effort
local events = M.events
local execution = M.execution
local flow = M.flow
local flow_due = M.flow_due
local lane_due = M.lane_due
local repair = M.repair
local reply = M.reply
local schedule = M.schedule
local timers = M.timers
local ID_DIGITS = 32
local function handle(partition, id, now, looked, schedules, shares)
  local schedule_id = string.match(id, "^s(%x+)$")
  if schedule_id then
    local s, planned = schedule.planned(partition, schedule_id)
    if not s or not s.due or tonumber(s.due) > now then
      return s, nil
    end
    schedules[#schedules + 1] = { schedule_id, planned }
    return s, "schedules"
  end
  local budget_id = string.match(id, "^g(%x+)$")
  if budget_id then
    local b = budget.load(partition, budget_id)
    return b, b and budget_due.handle(b, now, effort.of(looked), shares)
  end
  local name = string.match(id, "^l(.*)$")
  if name then
    local ln = lane_due.load(partition, name)
    return ln, ln and lane_due.handle(ln, now, looked)
  end
  local flow_id = string.match(id, "^f(%x+)$")
  if flow_id and #flow_id == ID_DIGITS then
    local fl = flow.load(partition, flow_id)
    return fl, fl and flow_due.handle(fl, now, looked)
  end
  local r = execution.open(partition, id)
  if r then
    r.looked = looked
  end
  return r, r and due.handle(r, now)
end
return function(partition, most, tag, process, wait)
  local now = clock.now_ms(partition)
  clock.purge(partition, now)
  events.trim(partition, now)
  local counts = { delays = 0, leases = 0, timeouts = 0, expired = 0, grants = 0, removed = 0 }
  counts.waits, counts.waitpoints = 0, 0
  counts.flows_expired, counts.flows_removed, counts.flows_advanced, counts.budgets, counts.lanes = 0, 0, 0, 0, 0
  counts.schedules = 0
  local handled, looked, cut_off, broken, schedules, shares = 0, {}, false, "", {}, {}
  for _, id in ipairs(agenda.due(partition, tag, now, most)) do
    local is_sound, r, event = pcall(handle, partition, id, now, looked, schedules, shares)
    if not is_sound then
      timers.postpone(partition, tag, id, now)
      broken = broken .. id .. ": " .. tostring(r) .. "\n"
    elseif event then
      counts[event] = counts[event] + 1
      handled = handled + 1
    else
      timers.correct(partition, tag, id, r, now)
    end
    if effort.of(looked).visits <= 0 or handled == tonumber(most) then
      cut_off = true
      break
    end
  end
  local next_due = agenda.next(partition, tag)
  if process ~= "" and handled == 0 and tonumber(most) > 0 then
    local latest = now + math.min(tonumber(wait), timers.HEARTBEAT_MS)
    timers.sleep(partition, process, tag, math.min(latest, tonumber(next_due or latest)), now)
  end
  local repaired = repair.wakeups(partition, now)
  local c = counts
  return reply.ok(
    now, next_due or "", c.delays, c.leases, c.timeouts, c.expired, c.grants, c.removed,
    c.waits, c.waitpoints, c.flows_expired, c.flows_removed, c.flows_advanced, c.budgets, c.lanes,
    repaired, cut_off and "1" or "0", broken, schedules, shares)
end
end)()

F.update_summary = (function()
local clock = M.clock
local fence = M.fence
local holders = M.holders
local reply = M.reply
local summary = M.summary
local told = M.told
return function(partition, id, attempt, epoch, lease_id, expected, document)
  local now = clock.now_ms(partition)
  local holder, refusal = holders.of(partition, id, fence.of(attempt, epoch, lease_id), now)
  if refusal then
    return refusal
  end
  local stands, from = summary.load(partition, id), tonumber(expected)
  local version = stands and stands.version or 0
  if version == from then
    summary.save(partition, id, from + 1, attempt, document, now)
    if holder.tw then
      told.frames(partition, id)
    end
    return reply.ok("updated", "")
  elseif stands and version == from + 1 and stands.attempt == attempt and stands.document == document then
    return reply.ok("updated", "")
  end
  return reply.ok("stands", stands and stands.text or "")
end
end)()

F.upstream_results = (function()
local execution = M.execution
local keys = M.keys
local links = M.links
local member = M.member
local record = M.record
local reply = M.reply
local BYTES_MAX = 4194304
local function result_of(r)
  if r.f.rk == nil then
    return "0", "", ""
  end
  return "1", r.f.rk, r.f.re or redis.call("HGET", keys.long(r.partition, r.id), "re") or ""
end
return function(partition, id, from, most)
  local r = execution.open(partition, id)
  if not r then
    return reply.err("NOT_FOUND")
  elseif not r.f.nd then
    return reply.ok(0, {})
  end
  local total, items, bytes = links.count(r, "p"), {}, 0
  for _, link in ipairs(links.slice(r, "p", tonumber(from), math.min(total, from + most))) do
    local parent = record.load(partition, member.id(member.node(r).flow, link.index))
    if not parent then
      return reply.err("NOT_FOUND")
    end
    local given, content_type, result = result_of(parent)
    if bytes > 0 and bytes + #result > BYTES_MAX then
      break
    end
    bytes = bytes + #result
    items[#items + 1] = { member.node(parent).key, parent.id, parent.f.st, given, content_type, result }
  end
  return reply.ok(total, items)
end
end)()

F.version = (function()
local library = M.library
local reply = M.reply
return function(_)
  return reply.ok(library.PROTOCOL, library.HASH)
end
end)()

F.wait_children = (function()
local children = M.children
local flow = M.flow
local held = M.held
local kept = M.kept
local number = M.number
local record = M.record
local reply = M.reply
return function(partition, id, attempt, epoch, lease_id, digest, flow_id, saves, state)
  return held.by(partition, id, attempt, epoch, lease_id, "w" .. digest, function(r, now)
    if r.f.ca then
      return reply.err("CANCEL_REQUESTED"), false
    end
    local fl = flow.open(partition, flow_id)
    if not fl or fl.f.pa ~= r.id then
      return reply.err("FLOW_NOT_FOUND", flow_id), false
    elseif fl.f.ea then
      return reply.ok("ended " .. fl.state), false
    elseif not children.has_room_for(r, flow_id) then
      return reply.err("CHILD_FLOWS", children.OPEN_MAX + 1), false
    end
    if saves == "1" then
      kept.set_state(r, state)
    end
    children.add(r, flow_id)
    record.set(r, "cw", flow_id)
    r.f.st, r.f.ra = "waiting_children", number.text(now)
    return reply.ok("waiting"), "w"
  end, function()
    return reply.ok("waiting")
  end)
end
end)()

F.withdraw_waitpoint = (function()
local reply = M.reply
local resume = M.resume
local steered = M.steered
local waitpoints = M.waitpoints
local waits = M.waits
local OWN = { withdrawn = true }
return function(partition, id, request, waitpoint)
  return steered.by(partition, id, request, OWN, function(r, now)
    local p = waits.of(r).known[waitpoint]
    if not p then
      return nil, false, reply.err("WAITPOINT_NOT_FOUND")
    elseif not waitpoints.is_open(p, now) then
      return "already_closed", false
    end
    waits.close(p)
    resume.give_up_if_impossible(r, now, now)
    return "withdrawn", true
  end)
end
end)()

local function call(name)
  local run = F[name]
  return function(keys, args)
    if not has_globals then
      take_globals()
    end
    return run(string.sub(keys[1], 1, -5), unpack(args))
  end
end

local function call_with_items(name)
  local run = F[name]
  return function(keys, args)
    if not has_globals then
      take_globals()
    end
    return run(string.sub(keys[1], 1, -5), args)
  end
end

redis.register_function({ function_name = "ff_adjust_budget", callback = call("adjust_budget"), flags = {  } })
redis.register_function({ function_name = "ff_adjust_lane", callback = call("adjust_lane"), flags = {  } })
redis.register_function({ function_name = "ff_adjust_schedule", callback = call("adjust_schedule"), flags = {  } })
redis.register_function({ function_name = "ff_advance_flow", callback = call("advance_flow"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_advance_share", callback = call("advance_share"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_append_frames", callback = call("append_frames"), flags = {  } })
redis.register_function({ function_name = "ff_await", callback = call("await"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_await_completions", callback = call("await_completions"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_await_flow", callback = call("await_flow"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_await_frames", callback = call("await_frames"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_backfill_schedule", callback = call("backfill_schedule"), flags = {  } })
redis.register_function({ function_name = "ff_cancel", callback = call("cancel"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_cancel_execution", callback = call("cancel_execution"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_cancel_flow", callback = call("cancel_flow"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_claim", callback = call("claim"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_claim_from_reclaim", callback = call("claim_from_reclaim"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_close_waitpoint", callback = call("close_waitpoint"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_complete", callback = call("complete"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_create_budget", callback = call("create_budget"), flags = {  } })
redis.register_function({ function_name = "ff_create_schedule", callback = call("create_schedule"), flags = {  } })
redis.register_function({ function_name = "ff_create_waitpoint", callback = call("create_waitpoint"), flags = {  } })
redis.register_function({ function_name = "ff_delay", callback = call("delay"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_delete_schedule", callback = call("delete_schedule"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_deliver_signal", callback = call("deliver_signal"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_describe", callback = call("describe"), flags = { "no-writes" } })
redis.register_function({ function_name = "ff_describe_budget", callback = call("describe_budget"), flags = { "no-writes" } })
redis.register_function({ function_name = "ff_describe_flow", callback = call("describe_flow"), flags = { "no-writes" } })
redis.register_function({ function_name = "ff_describe_lane", callback = call("describe_lane"), flags = { "no-writes" } })
redis.register_function({ function_name = "ff_describe_schedule", callback = call("describe_schedule"), flags = { "no-writes" } })
redis.register_function({ function_name = "ff_disarm", callback = call("disarm"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_extend_flow", callback = call("extend_flow"), flags = {  } })
redis.register_function({ function_name = "ff_fail", callback = call("fail"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_find_offers", callback = call("find_offers"), flags = { "no-writes" } })
redis.register_function({ function_name = "ff_fire_schedules", callback = call("fire_schedules"), flags = {  } })
redis.register_function({ function_name = "ff_hold", callback = call("hold"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_list", callback = call("list"), flags = { "no-writes" } })
redis.register_function({ function_name = "ff_list_budgets", callback = call("list_budgets"), flags = { "no-writes" } })
redis.register_function({ function_name = "ff_list_flows", callback = call("list_flows"), flags = { "no-writes" } })
redis.register_function({ function_name = "ff_list_lanes", callback = call("list_lanes"), flags = { "no-writes" } })
redis.register_function({ function_name = "ff_list_schedules", callback = call("list_schedules"), flags = { "no-writes" } })
redis.register_function({ function_name = "ff_list_waitpoints", callback = call("list_waitpoints"), flags = { "no-writes" } })
redis.register_function({ function_name = "ff_now", callback = call("now"), flags = { "no-writes" } })
redis.register_function({ function_name = "ff_observe_signals", callback = call("observe_signals"), flags = { "no-writes" } })
redis.register_function({ function_name = "ff_open", callback = call("open"), flags = {  } })
redis.register_function({ function_name = "ff_open_share", callback = call("open_share"), flags = {  } })
redis.register_function({ function_name = "ff_pass_on", callback = call("pass_on"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_postpone_schedules", callback = call("postpone_schedules"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_progress", callback = call("progress"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_read_completions", callback = call("read_completions"), flags = { "no-writes" } })
redis.register_function({ function_name = "ff_read_frames", callback = call("read_frames"), flags = { "no-writes" } })
redis.register_function({ function_name = "ff_read_graph", callback = call("read_graph"), flags = { "no-writes" } })
redis.register_function({ function_name = "ff_reclaimable", callback = call("reclaimable"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_record_step", callback = call("record_step"), flags = {  } })
redis.register_function({ function_name = "ff_release_hold", callback = call("release_hold"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_renew", callback = call_with_items("renew"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_replay", callback = call("replay"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_report_usage", callback = call("report_usage"), flags = {  } })
redis.register_function({ function_name = "ff_resume_execution", callback = call("resume_execution"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_revoke", callback = call("revoke"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_save_state", callback = call("save_state"), flags = {  } })
redis.register_function({ function_name = "ff_set_tags", callback = call("set_tags"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_settle_share", callback = call("settle_share"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_signing_key", callback = call("signing_key"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_stage_flow", callback = call("stage_flow"), flags = {  } })
redis.register_function({ function_name = "ff_steps", callback = call("steps"), flags = { "no-writes" } })
redis.register_function({ function_name = "ff_submit", callback = call_with_items("submit"), flags = {  } })
redis.register_function({ function_name = "ff_submit_flow", callback = call("submit_flow"), flags = {  } })
redis.register_function({ function_name = "ff_suspend", callback = call("suspend"), flags = {  } })
redis.register_function({ function_name = "ff_tick", callback = call("tick"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_update_summary", callback = call("update_summary"), flags = {  } })
redis.register_function({ function_name = "ff_upstream_results", callback = call("upstream_results"), flags = { "no-writes" } })
redis.register_function({ function_name = "ff_version", callback = call("version"), flags = { "no-writes" } })
redis.register_function({ function_name = "ff_wait_children", callback = call("wait_children"), flags = { "allow-oom" } })
redis.register_function({ function_name = "ff_withdraw_waitpoint", callback = call("withdraw_waitpoint"), flags = { "allow-oom" } })
