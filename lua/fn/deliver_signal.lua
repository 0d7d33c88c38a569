--- Delivers a signal whose token was verified: recorded, evaluated, and the wait perhaps over, in one
--- step. The outcome is `resumed`, `recorded`, `buffered`, `duplicate` and an id, `not_matched` or
--- `closed`.
---
--- @flags allow-oom
--- @arg id           id
--- @arg waitpoint    id
--- @arg key          text
--- @arg expires_at   time
--- @arg kid          text   of the key that signed the token
--- @arg verify_until text   when that key ceases to verify, or empty
--- @arg signal       id
--- @arg source       text   `t`, or `p` and the principal
--- @arg name         text
--- @arg category     text
--- @arg correlated   flag   whether there is a correlation id
--- @arg correlation  text
--- @arg idempotency  text   key, or empty
--- @arg given        flag   whether there is a payload
--- @arg payload      bytes
--- @ok outcome text
--- @err WAITPOINT_NOT_FOUND SIGNALS
local clock = require("clock")
local condition = require("condition")
local execution = require("execution")
local number = require("number")
local reply = require("reply")
local resume = require("resume")
local signals = require("signals")
local waits = require("waits")

local function passed(at, now)
  return at and at ~= "" and tonumber(at) <= now
end

local function too_late(r, p, now)
  local suspension = p.state == "a" and waits.of(r).suspension
  return passed(r.f.dl, now) or suspension and passed(suspension.timeout, now)
end

local function keep(r, p, s, body, idempotency, now)
  local w = waits.of(r)
  s.order, s.waitpoint, s.at = w.accepted, p.id, number.text(now)
  w.accepted = w.accepted + 1
  w.bodies[number.text(s.order)] = body
  p.kept[#p.kept + 1] = s
  local satisfied = p.state == "a" and condition.satisfying(w)
  local outcome = p.state ~= "a" and "b" or satisfied and "r" or "c"
  local answer = signals.remember(w, p, s.id, idempotency, outcome)
  if satisfied then
    resume.by(r, "s", satisfied, now)
  end
  execution.commit(r, now)
  return reply.ok(answer)
end

return function(
  partition, id, waitpoint, key, expires_at, kid, verify_until, signal, source,
  name, category, correlated, correlation, idempotency, given, payload)
  local now = clock.now_ms(partition)
  local r = execution.open(partition, id)
  local p = r and waits.of(r).known[waitpoint]
  local genuine = p and p.key == key and p.kid == kid and p.expires == expires_at
  if not genuine or passed(expires_at, now) or passed(verify_until, now) then
    return reply.err("WAITPOINT_NOT_FOUND")
  end
  local before = signals.before(r, p, signal, idempotency)
  if before then
    return reply.ok(before)
  elseif p.state == "c" or too_late(r, p, now) then
    return reply.ok("closed")
  end
  local its_correlation = correlated == "1" and correlation or nil
  if p.kind and not signals.accepts(p, name, its_correlation) then
    return reply.ok("not_matched")
  elseif #p.kept >= signals.KEPT_MAX then
    return reply.err("SIGNALS")
  end
  local body = signals.body(name, category, its_correlation, given == "1" and payload or nil)
  return keep(r, p, { id = signal, source = source }, body, idempotency, now)
end
