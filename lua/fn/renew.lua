--- Extends leases to now + their TTL, each with an answer of its own: the new expiry or a refusal.
---
--- @flags allow-oom
--- @each id      id
--- @each attempt int
--- @each epoch   int
--- @each lease   bytes  16 bytes
--- @ok answers list
--- @item NOT_FOUND STALE_LEASE LEASE_EXPIRED LEASE_REVOKED CANCEL_REQUESTED ALREADY_TERMINAL ALREADY_RELEASED
local clock = require("clock")
local execution = require("execution")
local fence = require("fence")
local lease = require("lease")
local number = require("number")
local offers = require("offers")
local reply = require("reply")

local FIELDS = 4

local function one(partition, args, at, now)
  local r = execution.open(partition, args[at])
  if not r then
    return reply.err("NOT_FOUND")
  end
  local its = fence.of(args[at + 1], args[at + 2], args[at + 3])
  local refusal = fence.refused(r, its, now)
  if refusal then
    return refusal
  elseif r.f.ca then
    return reply.err("CANCEL_REQUESTED")
  end
  local expires_at = lease.expiry(r, now, tonumber(r.f.lt))
  r.f.lx = number.text(expires_at)
  execution.commit(r, now)
  if r.f.of or r.f.B then
    offers.again(r, now)
  end
  return reply.ok(number.text(expires_at))
end

return function(partition, args)
  local now = clock.now_ms(partition)
  local outcomes = {}
  for at = 1, #args, FIELDS do
    outcomes[#outcomes + 1] = one(partition, args, at, now)
  end
  return reply.ok(outcomes)
end
