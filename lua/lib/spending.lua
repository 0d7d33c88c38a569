--- Budgets beside the executions that draw on them: what a lease has reserved, and who waits for room.
local admission = require("admission")
local amounts = require("amounts")
local budget = require("budget")
local keys = require("keys")
local number = require("number")
local placement = require("placement")
local reasons = require("reasons")
local record = require("record")
local run = require("run")
local window = require("window")

local spending = {}

--- Makes an execution wait for room in a budget: in line, or set aside in a generation of it.
function spending.block(r, id, aside)
  reasons.add(r, reasons.BUDGET)
  record.set(r, "bo", id)
  record.set(r, "ba", aside and number.text(aside) or nil)
  r.f.st = reasons.state(r)
end

--- Lets it fail because its budget is used up.
function spending.fail(r, why, now)
  run.record_failure(r, "permanent", why, nil, now)
  run.finish(r, "failed", now)
end

--- Whether what it has reserved counts: it holds a lease, or a token that leads to one.
function spending.holds(r)
  return r.f.li ~= nil or r.f.gi ~= nil
end

--- What its budgets have to know of a record before it is changed.
function spending.note(r)
  local f = r.f
  return {
    holds = spending.holds(r), reserved = f.rv, awaits = f.bo, aside = f.ba, since = f.ra,
    kept_back = reasons.has_others(r),
  }
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
  local holds = spending.holds(r)
  local starts, begins = holds and not was.holds, f.bo == id and was.awaits ~= id
  local leaves = was.awaits == id and (f.ea or (reasons.has_others(r) and not was.kept_back))
  local ends = was.holds and not holds and was.reserved
  if not (starts or begins or leaves or ends) then
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
  local joins = begins and not f.ba
  local line = (freed or leaves or joins) and redis.call("ZCARD", keys.budget_line(r.partition, id)) or 0
  if line > 0 and (freed or leaves or line > 1) then
    record.set_number(b, "la", now)
  end
  if begins then
    record.set(b, "la", number.earlier(b.f.la, window.end_of(b)))
  end
  budget.save(b, now)
end

--- Brings the budgets of a record along that was as `was`, which is a note, or nil
--- of one that draws on none.
function spending.follow(r, was, now)
  line_up(r, was)
  admission.each(r, function(id)
    follow(r, was, id, now)
  end)
  r.drawn = nil
end

return spending
