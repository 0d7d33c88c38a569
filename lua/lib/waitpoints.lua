--- Waitpoints one at a time: found, made, activated.
local number = require("number")
local reply = require("reply")
local signals = require("signals")
local waits = require("waits")

local waitpoints = {}

--- Most waitpoints an execution knows, open and closed.
waitpoints.KNOWN_MAX = 64

--- Whether it takes signals.
function waitpoints.is_open(p, now)
  return p.state ~= "c" and tonumber(p.expires) > now
end

--- What its token is made of: id, key, expiry, key id.
function waitpoints.parts(p)
  return { p.id, p.key, p.expires, p.kid }
end

--- When none of these keys verifies its token at `now`, the first signs it from now on: the old token
--- is of no use to anybody. Answers whether that is so.
local function sign_anew_if_void(p, kids, now)
  for kid, verify_until in string.gmatch(kids, "([^,=]+)=?(%-?%d*)") do
    if kid == p.kid and (verify_until == "" or tonumber(verify_until) > now) then
      return false
    end
  end
  p.kid = string.match(kids, "^[^,]*")
  return true
end

local function open(w, key, now)
  for _, p in ipairs(w.all) do
    if p.key == key and waitpoints.is_open(p, now) then
      return p
    end
  end
  return nil
end

local function make_room(w, now)
  waits.close_expired(w, "p", now)
  if #w.all < waitpoints.KNOWN_MAX then
    return true
  end
  for at, p in ipairs(w.all) do
    if p.state == "c" then
      waits.forget(w, at)
      return true
    end
  end
  return false
end

--- The open waitpoint of this key, or else a new one, and whether anything changed. A refusal comes
--- as the third value.
function waitpoints.open_or_new(w, id, key, expires_in, kids, now)
  local p = open(w, key, now)
  if p then
    return p, sign_anew_if_void(p, kids, now)
  elseif w.known[id] then
    return nil, false, reply.err("WAITPOINT_ID")
  elseif not make_room(w, now) then
    return nil, false, reply.err("WAITPOINTS")
  end
  p = {
    id = id, seq = w.made, state = "p", key = key, kid = string.match(kids, "^[^,]*"),
    created = number.text(now), expires = number.text(number.later(now, tonumber(expires_in))),
    matcher = "", kept = {},
  }
  w.made = w.made + 1
  w.all[#w.all + 1] = p
  w.known[id] = p
  return p, true
end

--- Makes a waitpoint part of the suspension of this epoch: it keeps what matches from now on, and of
--- what it has kept. Answers it, or nil and a refusal.
function waitpoints.activate(r, spec, epoch, place, kids, now)
  local w = waits.of(r)
  local p, _, refusal
  if spec.expires_at ~= "" then
    p = open(w, spec.key, now)
    if not p or p.id ~= spec.id or p.expires ~= spec.expires_at then
      return nil, reply.err("WAITPOINT_NOT_FOUND")
    end
  else
    p, _, refusal = waitpoints.open_or_new(w, spec.id, spec.key, spec.expires_in, kids, now)
    if not p then
      return nil, refusal
    end
  end
  sign_anew_if_void(p, kids, now)
  p.kind, p.matcher, p.state = spec.kind, spec.matcher, "a"
  p.epoch, p.place = epoch, number.text(place)
  p.kept = signals.matching(r, p)
  return p
end

return waitpoints
