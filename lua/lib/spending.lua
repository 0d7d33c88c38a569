--- Budgets beside the executions that draw on them: what a lease has reserved, and who waits for room.
local admission = require("admission")
local amounts = require("amounts")
local budget = require("budget")
local keys = require("keys")
local number = require("number")
local placement = require("placement")
local reasons = require("reasons")
local record = require("record")
local window = require("window")

local spending = {}

--- Whether what it has reserved counts: it holds a lease, or a token that leads to one.
local function holds_now(f)
  return f.li ~= nil or f.gi ~= nil
end

local function note(r, its)
  local f = r.f
  its.holds, its.reserved, its.awaits, its.aside, its.since = holds_now(f), f.rv, f.bo, f.ba, f.ra
  its.kept_back, its.is_next = f.bo and reasons.has_others(r), f.st == "ready"
  return its
end

--- What its budgets have to know of a record before it is changed.
function spending.note(r)
  return note(r, {
    holds = nil, reserved = nil, awaits = nil, aside = nil, since = nil, kept_back = nil, is_next = nil,
  })
end

--- Replaces one reservation by another. Answers whether there is more room by it.
function spending.settle(b, before, after)
  local freed = false
  if b.action == "r" then
    return freed
  end
  for name, limit in pairs(b.limits) do
    local was, is = before[name] or 0, after[name] or 0
    limit.reserved = math.max(limit.reserved - was, 0) + is
    freed = freed or is < was
  end
  return freed
end

--- Brings the places of those that wait along with a record that was as `was`.
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

local function follow(r, was, id, now)
  local f = r.f
  local holds = holds_now(f)
  local starts, begins = holds and not was.holds, f.bo == id and was.awaits ~= id
  local joins = f.bo == id and not f.ba and (begins or was.aside)
  local leaves = was.awaits == id and (f.ea or (reasons.has_others(r) and not was.kept_back))
  -- It was to start, perhaps in the room that it was let go on for, and does not.
  if was.is_next and not (was.holds or holds) and f.bo ~= id then
    leaves = leaves or f.ea or f.bo or reasons.has_others(r)
  end
  local ends = was.holds and not holds and was.reserved
  if not (starts or begins or joins or leaves or ends) then
    return
  end
  local b = r.drawn and r.drawn[id] or budget.load(r.partition, id)
  if not b then
    return
  elseif starts or begins then
    window.roll(b, now)
  end
  local before, after = amounts.read(was.holds and was.reserved or nil), amounts.read(holds and f.rv or nil)
  local freed = spending.settle(b, before, after)
  if joins then
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
    -- It may not start at all: its flow may be cancelled while it stands there.
    if not f.ba then
      record.set(b, "la", number.earlier(b.f.la, number.text(number.later(now, budget.LINE_LOOK_MS))))
    end
  end
  budget.save(b, now)
end

--- Brings the budgets of a record along that was as it was noted in `spent`, and notes it as it is.
function spending.follow(r, now)
  local was = r.spent
  line_up(r, was)
  admission.each(r, function(id)
    follow(r, was, id, now)
  end)
  r.drawn = nil
  note(r, was)
end

return spending
