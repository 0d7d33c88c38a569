--- What a share tells its home, and hears from it.
---
--- A message is packed: number, what was settled in all, what the share holds, how much of that is free, what the first
--- in line needs, and all of them together and those that come next, the place of the first, how many wait, whether some
--- are set aside, and what is needed at once. The answer is that number, what is granted, how the home stands, when its window
--- ends, its generation, whether others wait, whether the share stands in line, and the number of the latest message heard.
--- The home answers one message always alike, and no other is sent before that.
local amounts = require("amounts")
local number = require("number")
local packed = require("packed")
local record = require("record")
local share = require("share")
local share_rest = require("share_rest")

local share_messages = {}

--- What stands for what was told of those that wait when the home has to be told more than that.
share_messages.UNTOLD = "?"
--- When a message that is not answered is sent again.
local AGAIN_MS = 1000

local function text(found)
  return amounts.text(found) or ""
end

--- What is told of those that wait, as text or nil.
function share_messages.wants(waiting)
  local wants = (waiting.score or "") .. " " .. text(waiting.least) .. (waiting.aside and " aside" or "")
  return wants ~= " " and wants or nil
end

--- What all that wait need, and those that come next.
local function wanted(b, waiting)
  local all = share_rest.ahead(b)
  for _, limit in ipairs(b.limits) do
    all[limit.name] = (all[limit.name] or 0) + (waiting.all[limit.name] or 0)
  end
  return all
end

--- Settles what is used; answers what was settled in all, and what the share holds.
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

--- The next message: who is `waiting`, how much is `free`, and what is `urgent`, as text.
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

--- Has the message sent again later, unless it is answered.
function share_messages.again(b, now)
  record.set_number(b, "la", number.later(now, AGAIN_MS))
end

--- Takes an answer. One to an earlier message says nothing new; a home that is ahead has heard of what is lost here.
--- Answers whether the home has to hear how things stand, and whether it has to when somebody waits. The share `yields`
--- when others wait for what it has, unless that was granted just now.
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
