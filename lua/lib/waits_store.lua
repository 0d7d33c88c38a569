--- Writes the waits of an execution back: of its hash what differs, and what hangs on it.
local chunks = require("chunks")
local keys = require("keys")
local number = require("number")

local waits_store = {}

local function signal_text(s)
  return s.waitpoint .. " " .. s.id .. " " .. s.at .. " " .. s.source
end

local function waitpoint_text(p)
  return number.text(p.seq) .. " " .. p.state .. " " .. p.created .. " " .. p.expires .. " " .. p.kid .. " "
    .. (p.epoch or "-") .. " " .. (p.place or "-") .. " " .. (p.closer or "-") .. " " .. (p.kind or "-") .. " " .. p.key
end

--- The hash as it is to be.
local function fields(w)
  local is = {}
  for _, p in ipairs(w.all) do
    is["w" .. p.id] = waitpoint_text(p)
    if p.matcher ~= "" then
      is["m" .. p.id] = p.matcher
    end
    for _, s in ipairs(p.kept) do
      is["k" .. number.text(s.order)] = signal_text(s)
    end
  end
  if w.resumed then
    is.z, is.q = w.resumed.how, w.resumed.of
    for _, s in ipairs(w.resumed.signals) do
      is["z" .. number.text(s.order)] = signal_text(s)
    end
  end
  is.c, is.t = w.suspension and w.suspension.text, w.satisfied
  if next(is) then
    is.n = number.text(w.made) .. " " .. number.text(w.accepted)
  end
  return is
end

--- The fields that change, and those that go.
local function differences(was, is)
  local set, gone = {}, {}
  for field, value in pairs(is) do
    if was[field] ~= value then
      set[#set + 1], set[#set + 2] = field, value
    end
  end
  for field in pairs(was) do
    if not is[field] then
      gone[#gone + 1] = field
    end
  end
  return set, gone
end

local function is_open(field, text)
  return string.sub(field, 1, 1) == "w" and text ~= nil and string.match(text, "^%d+ (%l)") ~= "c"
end

--- The index entries of the waitpoints that are open in `to` and were not in `from`.
local function opened(r, from, to)
  local members = {}
  for field, text in pairs(to) do
    if is_open(field, text) and not is_open(field, from[field]) then
      members[#members + 1] = string.sub(field, 2) .. " " .. r.id
    end
  end
  return members
end

--- The body of a signal is kept as long as the signal is, under whichever field.
local function save_bodies(r, w, was, is)
  local key, gone = keys.signals(r.partition, r.id), {}
  for field in pairs(was) do
    local order = string.match(field, "^[kz](%d+)$")
    if order and not is["k" .. order] and not is["z" .. order] then
      gone[#gone + 1] = order
    end
  end
  chunks.delete_fields(key, gone)
  for order, body in pairs(w.bodies) do
    if is["k" .. order] or is["z" .. order] then
      redis.call("HSET", key, order, body)
    end
  end
end

--- Writes what was changed.
function waits_store.save(r)
  local w = r.waits
  local was, is = w.was, fields(w)
  local set, gone = differences(was, is)
  chunks.set_fields(keys.waits(r.partition, r.id), set)
  chunks.delete_fields(keys.waits(r.partition, r.id), gone)
  local index = keys.open_waitpoints(r.partition)
  chunks.remove_members(index, opened(r, is, was))
  for _, member in ipairs(opened(r, was, is)) do
    redis.call("ZADD", index, 0, member)
  end
  save_bodies(r, w, was, is)
  for _, id in ipairs(w.forgotten) do
    redis.call("DEL", keys.seen(r.partition, r.id, id))
  end
  for _, seen in ipairs(w.seen) do
    redis.call("HSET", keys.seen(r.partition, r.id, seen.waitpoint), seen.field, seen.value)
  end
  w.was, w.bodies, w.seen, w.forgotten = is, {}, {}, {}
end

return waits_store
