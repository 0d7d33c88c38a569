--- Takes an execution in hand, and puts it back: record, indexes and wake-ups together. What its end
--- means for the members of its flow is left to `execution`, by which everybody but these goes.
local children = require("children")
local events = require("events")
local flow = require("flow")
local kept = require("kept")
local keys = require("keys")
local leases = require("leases")
local links = require("links")
local placement = require("placement")
local queue = require("queue")
local record = require("record")
local spending = require("spending")
local store = require("store")
local timers = require("timers")
local told = require("told")
local waiters = require("waiters")
local waits = require("waits")
local waits_store = require("waits_store")

local places = {}

--- Where it stands, and how it ended if it has.
local function note_places(r)
  r.queue, r.since, r.due = placement.queue(r), r.f.ra, placement.due(r)
  r.over, r.writing = r.f.ea and r.f.st, r.f.ao
  r.leased, r.granted = r.f.li ~= nil, r.f.gi ~= nil
  r.spent = r.f.bu and spending.note(r)
end

--- The execution with the places it stands in: its `queue`, `since` when, and when it is `due`. Nil
--- when there is none, and when it is a node that is staged.
function places.open(partition, id)
  local r = record.load(partition, id)
  if not r or (r.f.nd and flow.hides(r)) then
    return nil
  end
  note_places(r)
  return r
end

--- Writes what was changed and brings the indexes along. Child flows that are to end with the execution are
--- its `orphans` afterwards.
function places.commit(r, now)
  local was, since, due, over, writing, spent = r.queue, r.since, r.due, r.over, r.writing, r.spent
  local leased, granted = r.leased, r.granted
  if r.waits then
    waits.settle(r)
  end
  note_places(r)
  if r.f.ea and not over then
    events.ended(r)
    if r.f.aw then
      told.ended(r)
    end
  end
  told.frames_over(r, writing, over)
  store.save(r)
  if r.waits then
    waits_store.save(r)
  end
  kept.save(r)
  if r.forsakes then
    r.forsakes, r.orphans = nil, children.forsake(r)
  end
  local moved = was ~= r.queue or since ~= r.since
  if moved then
    queue.move(r, was, r.queue and placement.score(r))
  end
  if r.due and due ~= r.due then
    timers.set(r, r.due, now)
  elseif due and not r.due then
    timers.remove(r)
  end
  if moved and r.queue then
    waiters.wake(r, r.queue)
  end
  spending.follow(r, spent, now)
  leases.follow(r, leased, granted, now)
end

--- Stores a new execution that has no place yet: nobody finds it by itself.
function places.stage(r)
  redis.call("ZADD", keys.all(r.partition), 0, r.id)
  store.insert(r)
end

--- Stores a new execution.
function places.create(r, now)
  note_places(r)
  places.stage(r)
  if r.due then
    timers.set(r, r.due, now)
  end
  if r.queue then
    queue.insert(r, r.queue, placement.score(r))
    waiters.wake(r, r.queue)
  end
end

--- Removes an execution and everything that belongs to it.
function places.remove(r)
  if r.queue then
    queue.remove(r, r.queue)
  end
  timers.remove(r)
  if r.f.wv then
    waits.forget_all(r)
    waits_store.save(r)
  end
  local part, id = r.partition, r.id
  redis.call("ZREM", keys.all(part), id)
  redis.call("DEL", keys.execution(part, id), keys.long(part, id), keys.payload(part, id))
  redis.call("UNLINK", keys.frames(part, id), keys.summary(part, id))
  if r.f.nd then
    links.remove(r)
  end
end

return places
