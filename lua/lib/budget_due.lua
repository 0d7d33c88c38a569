--- A look at a budget that is due: some of those that wait for room in it may go on.
local budget = require("budget")
local budget_line = require("budget_line")
local keys = require("keys")
local number = require("number")
local places = require("places")
local record = require("record")
local share_news = require("share_news")
local window = require("window")

local budget_due = {}

--- How much later it is looked at again when some went on.
local LOOK_AGAIN_MS = 1000
--- When shares that do not ask for what there is to tell are told again.
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

--- The budget as it stands. What those brought along that were moved is only looked for where shares are told of it.
local function as_it_is(b)
  return b.f.sh and budget.load(b.partition, b.budget) or b
end

--- Looks at a budget, and once more when it is due again at once: those that are back in line may go on. Answers
--- what was done, or nil when nothing is due. A share that is due, and those that have to be told something, are added to
--- `shares`, see `tick`: they are left to the client.
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
