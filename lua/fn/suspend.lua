--- Gives the lease back until signals satisfy a condition, unless those that were kept do.
---
--- @arg id      id
--- @arg attempt int
--- @arg epoch   int
--- @arg lease   bytes  16 bytes
--- @arg digest   text   of the arguments
--- @arg wanted   bytes  six values of each waitpoint, packed: id, key, kind, matcher, life in ms, and of a pending one its expiry
--- @arg groups   text   `<n><what it counts>:<places>`, joined by semicolons
--- @arg timeout  text   ms, or empty
--- @arg behavior text   `f`, `c`, `e` or `r`
--- @arg kids     text   ids of the keys that verify tokens, joined by commas: the one that signs, then `<id>=<until>`
--- @arg saves   flag   whether a state is saved with it
--- @arg state   bytes
--- @ok outcome    text  `waiting` or `satisfied`
--- @ok waitpoints list  of each id, key, expiry, key id
--- @err NOT_FOUND STALE_LEASE LEASE_EXPIRED LEASE_REVOKED ALREADY_TERMINAL ALREADY_RELEASED CANCEL_REQUESTED WAITPOINT_ID WAITPOINTS WAITPOINT_NOT_FOUND
local condition = require("condition")
local held = require("held")
local kept = require("kept")
local number = require("number")
local reply = require("reply")
local specs = require("specs")
local waitpoints = require("waitpoints")
local waits = require("waits")
local waits_text = require("waits_text")

local function by_place(one, other)
  return tonumber(one.place) < tonumber(other.place)
end

--- The waitpoints that the suspend under a lease gave, as far as they are known, in its order.
local function given_before(r, epoch, released, count)
  local mine, parts = {}, {}
  for _, p in ipairs(waits.of(r).all) do
    if p.epoch == epoch then
      mine[#mine + 1] = p
    end
  end
  if #mine ~= count then
    return reply.err("ALREADY_RELEASED", released)
  end
  table.sort(mine, by_place)
  for i, p in ipairs(mine) do
    parts[i] = waitpoints.parts(p)
  end
  return reply.ok("waiting", parts)
end

--- Signals that were kept satisfy the condition: the lease stays, and so does what they were.
local function satisfied_at_once(w, signals, epoch, digest)
  local of = waits.suspended_keys(w)
  waits.end_suspension(w)
  for _, p in ipairs(w.all) do
    if p.epoch == epoch then
      p.epoch, p.place = nil, nil
    end
  end
  w.resumed, w.satisfied = { how = "s", of = of, signals = signals }, epoch .. " " .. digest
  return reply.ok("satisfied", {})
end

return function(partition, id, attempt, epoch, lease_id, digest, wanted, groups, timeout, behavior, kids, saves, state)
  local asked = specs.read(wanted)
  return held.by(partition, id, attempt, epoch, lease_id, "s" .. digest, function(r, now)
    local w = waits.of(r)
    if w.satisfied == epoch .. " " .. digest then
      return reply.ok("satisfied", {}), false
    elseif r.f.ca then
      return reply.err("CANCEL_REQUESTED"), false
    end
    local parts = {}
    for i, spec in ipairs(asked) do
      local p, refusal = waitpoints.activate(r, spec, epoch, i - 1, kids, now)
      if not p then
        return refusal, false
      end
      parts[i] = waitpoints.parts(p)
    end
    local ends_at = timeout ~= "" and number.text(number.later(now, tonumber(timeout))) or "-"
    local text = epoch .. " " .. number.text(now) .. " " .. ends_at .. " " .. behavior .. " " .. groups
    w.suspension = waits_text.suspension(text)
    if saves == "1" then
      kept.set_state(r, state)
    end
    local signals = condition.satisfying(w)
    if signals then
      return satisfied_at_once(w, signals, epoch, digest)
    end
    w.resumed, w.satisfied = nil, nil
    r.f.st, r.f.ra = "suspended", number.text(now)
    return reply.ok("waiting", parts), "s"
  end, function(r, released)
    return given_before(r, epoch, released, #asked)
  end)
end
