--- Budgets beside the executions that draw on them: what a lease has reserved, and who waits for room.
local amounts = require("amounts")
local budget = require("budget")
local drawn = require("drawn")
local keys = require("keys")
local number = require("number")
local placement = require("placement")
local reasons = require("reasons")
local record = require("record")
local reservation = require("reservation")
local share = require("share")
local share_news = require("share_news")
local window = require("window")

local spending, NOTHING = {}, {}

--- What its budgets have to know of a record before it is changed. What it has reserved counts while it `holds` a lease,
--- or a token that leads to one.
function spending.note(r)
  local f = r.f
  return {
    holds = f.li ~= nil or f.gi ~= nil, reserved = reservation.left(f), awaits = f.bo, aside = f.ba, since = f.ra,
    kept_back = f.bo and reasons.has_others(r), is_next = f.st == "ready", drawn = nil,
  }
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

--- What it is to reserve is reserved of the budgets that let it start.
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
  -- It was to start, perhaps in the room that it was let go on for, and does not.
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
    -- It may not start at all: its flow may be cancelled while it stands there.
    if not f.ba then
      record.set(b, "la", number.earlier(b.f.la, number.text(number.later(now, budget.LINE_LOOK_MS))))
    end
  end
  if b.f.fi then
    share.note(b, now, begins or joins or leaves or (freed and (b.f.wl or b.f.co)), leaves)
  end
  budget.save(b, now)
end

--- Brings the budgets of a record along that was as it was noted in `spent`, and notes it as it is.
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
