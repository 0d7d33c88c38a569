--- The waits of an execution as they are stored: one hash, read into a table.
---
--- @field n   how many waitpoints were made, and how many signals were accepted
--- @field w   and an id: number, state, when made, when it expires, key id, epoch and place of the suspend, epoch of its closer, kind, key; `-` for none
--- @field m   and an id: the matcher
--- @field k   and an order: a kept signal: waitpoint, id, when accepted, source
--- @field c   the suspension: epoch, since when, timeout, what then (`f c e r`), groups
--- @field z   what ended the latest wait (`s t u o`) and the reason of an operator; with an order behind it, a signal that did
--- @field q   the keys of the waitpoints of that wait
--- @field t   epoch and digest of the latest suspend that was satisfied at once
local waits_text = {}

local WAITPOINT = "^(%d+) (%l) (%d+) (%d+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$"
local SUSPENSION = "^(%d+) (%d+) (%S+) (%l) (%S+)$"

local function given(text)
  return text ~= "-" and text or nil
end

local function waitpoint(id, text, matcher)
  local p = { id = id, matcher = matcher or "", kept = {} }
  local seq
  seq, p.state, p.created, p.expires, p.kid, p.epoch, p.place, p.closer, p.kind, p.key = string.match(text, WAITPOINT)
  p.seq = tonumber(seq)
  p.epoch, p.place, p.closer, p.kind = given(p.epoch), given(p.place), given(p.closer), given(p.kind)
  return p
end

local function signal(order, text)
  local s = { order = tonumber(order) }
  s.waitpoint, s.id, s.at, s.source = string.match(text, "^(%x+) (%x+) (%d+) (.*)$")
  return s
end

local function groups_of(text)
  local groups = {}
  for n, distinct, places in string.gmatch(text, "(%d+)(%l):([%d,]*)") do
    local group = { n = tonumber(n), distinct = distinct, places = {} }
    for place in string.gmatch(places, "%d+") do
      group.places[#group.places + 1] = place
    end
    groups[#groups + 1] = group
  end
  return groups
end

--- A suspension from its stored text. Its waitpoints are found by its epoch and their places.
function waits_text.suspension(text)
  local s = { text = text }
  local timeout, groups
  s.epoch, s.since, timeout, s.behavior, groups = string.match(text, SUSPENSION)
  s.timeout, s.groups = given(timeout), groups_of(groups)
  return s
end

local function by_seq(one, other)
  return one.seq < other.seq
end

local function by_order(one, other)
  return one.order < other.order
end

local function take(w, field, value, kept, ended)
  local kind, rest = string.sub(field, 1, 1), string.sub(field, 2)
  if kind == "w" then
    local p = waitpoint(rest, value, w.was["m" .. rest])
    w.all[#w.all + 1] = p
    w.known[rest] = p
  elseif kind == "k" then
    kept[#kept + 1] = signal(rest, value)
  elseif kind == "z" and rest ~= "" then
    ended[#ended + 1] = signal(rest, value)
  end
end

--- Takes a stored hash, as a list of fields and values, into waits.
function waits_text.read(w, flat)
  for i = 1, #flat, 2 do
    w.was[flat[i]] = flat[i + 1]
  end
  local kept, ended = {}, {}
  for field, value in pairs(w.was) do
    take(w, field, value, kept, ended)
  end
  table.sort(w.all, by_seq)
  table.sort(kept, by_order)
  table.sort(ended, by_order)
  for _, s in ipairs(kept) do
    local p = w.known[s.waitpoint]
    p.kept[#p.kept + 1] = s
  end
  local made, accepted = string.match(w.was.n, "^(%d+) (%d+)$")
  w.made, w.accepted = tonumber(made), tonumber(accepted)
  w.suspension = w.was.c and waits_text.suspension(w.was.c)
  w.satisfied = w.was.t
  w.resumed = w.was.z and { how = w.was.z, of = w.was.q, signals = ended }
end

return waits_text
