--- The share of a budget that lies elsewhere, its home: what the home has granted to this partition, in hand as a budget
--- whose hard limits are just that. What is used of it is told to the home and taken off again: see `share_messages`.
local dimensions = require("dimensions")
local memo = require("memo")
local number = require("number")
local record = require("record")

local share = {}

--- How long it keeps what nobody uses, and does not tell what is used.
share.KEPT_MS = 1000
--- How old what is known of the home may be to decide that it is used up: a change of limits is told at once.
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

--- How each dimension stood at home when it was last heard of, by its name.
function share.home(b)
  return figures(b.f.fi)
end

--- How a dimension of a budget in hand stands in all of it: of a share, as the home was last heard of and with what it
--- has not been told yet, which counts as reserved there.
function share.in_all(b, limit)
  local home = b.f.fi and share.home(b)[limit.name]
  if not home then
    return limit
  end
  local reserved = limit.hard and math.max(home.reserved - limit.used, 0) or home.reserved
  return { soft = home.soft, hard = home.hard, used = home.used + limit.used, reserved = reserved }
end

--- Whether what is known of the home is so fresh that it decides.
function share.is_fresh(b, now)
  if b.has_heard then
    return true
  end
  local age = now - (b.f.fa or 0)
  return age >= 0 and age <= FRESH_MS and (b.f.we == nil or now < tonumber(b.f.we))
end

--- What it keeps for those that were let go on is kept no longer than anything else: some are there to take it, or
--- some that were let go on do not.
local function keep_less(b, now)
  local at = number.later(now, share.KEPT_MS)
  if b.f.gb and b.f.gb - at > 0 then
    record.set_number(b, "gb", at)
    record.set(b, "la", number.earlier(b.f.la, b.f.gb))
  end
end

--- Notes that what it holds is used or came back, or that others wait now than before, for which it is looked at once;
--- some of these may have left that were let go on.
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

--- Notes that an attempt has started with what it holds.
function share.started(b, now)
  if b.f.kp then
    record.set(b, "kp", nil)
    keep_less(b, now)
  end
end

--- Holds this much of a dimension, or whatever is used when that is nil.
function share.hold(limit, hard)
  dimensions.bound(limit, "-", hard and number.text(hard) or "-")
end

--- What nobody uses of each limited dimension of a budget in hand, by its name.
function share.free(b)
  local free = {}
  for _, limit in ipairs(b.limits) do
    free[limit.name] = limit.hard and math.max(limit.hard - limit.used - limit.reserved, 0) or nil
  end
  return free
end

--- Whether it holds anything that nobody uses.
function share.has_free(b)
  for _, unused in pairs(share.free(b)) do
    if unused > 0 then
      return true
    end
  end
  return false
end

--- Gives back what a lease has left, as amounts, when others wait for it: they have it before those that come later here.
function share.let_go(b, left)
  for _, limit in ipairs(b.limits) do
    local free = limit.hard and math.min(left[limit.name] or 0, limit.hard - limit.used - limit.reserved) or 0
    if free > 0 then
      share.hold(limit, limit.hard - free)
    end
  end
end

return share
