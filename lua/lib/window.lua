--- The windows of a budget: when its usage starts from nothing, and what that means for those set aside.
local budget = require("budget")
local number = require("number")
local record = require("record")

local window = {}

--- The start of the window that a time lies in.
function window.start_at(b, now)
  return now - (now - b.is.anchor) % b.is.every
end

--- What was set aside may go on: limits were changed, or usage starts from nothing.
function window.renew(b)
  record.set_number(b, "ge", budget.generation(b) + 1)
end

--- Starts from nothing when a later window has begun than the one counted last.
function window.roll(b, now)
  if b.is.every > 0 and window.start_at(b, now) > tonumber(b.f.w) then
    record.set_number(b, "w", window.start_at(b, now))
    window.renew(b)
    for _, limit in ipairs(b.limits) do
      limit.used = 0
    end
  end
end

--- The end of the window that is counted, as text, or nil.
function window.end_of(b)
  return b.is.every > 0 and number.text(number.later(tonumber(b.f.w), b.is.every)) or nil
end

return window
