--- Lets those go on that wait in a share of a budget, as far as it has room, and says what its home is to be told: an
--- answer of the home leads to the next message, until there is none.
---
--- @flags allow-oom
--- @arg budget id
--- @arg answer bytes  of the home to the message before, see `share_messages`; empty for the first call
--- @arg urgent text   what is needed at once, see `amounts`
--- @ok message bytes  for the home, or empty
--- @ok asked   flag   whether it says what is needed at once
local budget = require("budget")
local budget_line = require("budget_line")
local clock = require("clock")
local number = require("number")
local places = require("places")
local record = require("record")
local reply = require("reply")
local share = require("share")
local share_line = require("share_line")
local share_messages = require("share_messages")
local share_rest = require("share_rest")

--- How much later it is looked at again when some went on.
local LOOK_AGAIN_MS = 1000

--- When it is looked at next, unless it says something, and whether what nobody uses is to go back now.
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
  -- Something has happened here, perhaps since the message was made that is under way.
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
