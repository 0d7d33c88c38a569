--- Hands out up to `most` ready executions of a lane, each under a lease, and reclaim tokens beside
--- them when asked. When it found nothing, or fewer than it could take, it registers an arm.
---
--- An item is its kind (`task` or `token`), its index, the id, and of a task fields, payload, and the saved state when it is long.
---
--- @flags allow-oom
--- @arg request  bytes  16 bytes of request id
--- @arg lane     text
--- @arg offered  text   capabilities, canonical
--- @arg holder   bytes  16 bytes of worker, 16 of instance
--- @arg instance id     the instance again
--- @arg ttl      int    of the leases, ms
--- @arg most     int
--- @arg mode     text   `f` fresh work only, `a` reclaims too
--- @arg tag      text   of the reclaims, or empty
--- @arg process  text   that waits, or empty
--- @arg arm      int    to register
--- @arg crowded  flag   whether others of the process wait, so that an arm is wanted in any case
--- @arg woken    text   the execution that this claim was woken for, to be passed on, or empty
--- @arg repeats  flag   whether only what this same request was given before is wanted
--- @ok now     time
--- @ok known   flag  the request was made before, and this is what is still good of its answer
--- @ok again   flag  only expired executions were found, and there may be more behind
--- @ok armed   flag
--- @ok items   list
local answers = require("answers")
local arms = require("arms")
local aside = require("aside")
local claims = require("claims")
local clock = require("clock")
local execution = require("execution")
local lanes = require("lanes")
local offers = require("offers")
local reply = require("reply")
local waiters = require("waiters")
local wakes = require("wakes")

--- Who was woken and has done what it could lets others go on: with the execution that it was woken for while that
--- is ready, and when it found nothing, with whatever else the lane has room for.
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
