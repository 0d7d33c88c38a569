--- The reclaim scanner: tokens for executions whose lease was lost or whose wait is over.
---
--- @flags allow-oom
--- @arg request  bytes  16 bytes of request id
--- @arg lane     text
--- @arg offered  text   capabilities, canonical
--- @arg instance id
--- @arg most     int
--- @arg tag      text   or empty
--- @arg repeats  flag   whether only what this same request was given before is wanted
--- @ok known flag  the request was made before, and this is what is still good of its answer
--- @ok again flag  only expired executions were found, and there may be more behind
--- @ok items list
local answers = require("answers")
local claims = require("claims")
local clock = require("clock")
local lanes = require("lanes")
local offers = require("offers")
local reply = require("reply")

--- How long an answer is remembered: as long as its tokens are good.
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
