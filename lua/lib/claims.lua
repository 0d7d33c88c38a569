--- Taking from the queues of a lane: leases for fresh work, tokens for reclaims.
local answers = require("answers")
local capabilities = require("capabilities")
local entries = require("entries")
local handout = require("handout")
local handouts = require("handouts")
local heads = require("heads")
local lanes = require("lanes")
local leases = require("leases")
local record = require("record")
local turns = require("turns")

local claims = {}

local NOTHING = {}

--- Most expired executions, and strays, that one call sweeps aside before it stops.
local EXPIRED_MAX = 64
--- Most heads looked at in one go.
local HEADS_MAX = 64
--- A call that has read this many heads of queues takes no more.
local READS_MAX = 256
--- A call that carries this much payload takes no more.
local BYTES_MAX = 4194304

local function take(partition, ask, wanted, most, tally, now)
  local ids, items, count, idle, bytes, ln = {}, {}, 0, 0, 0, ask.ln
  local offer, looked = ask.offered ~= "" and capabilities.offer(ask.offered) or NOTHING, {}
  while count < most do
    local best, followed = heads.best(partition, ask.lane, offer, ask, math.min(most - count, HEADS_MAX), now)
    if #best == 0 then
      break
    end
    local found, strays = entries.open(partition, best, followed, looked, tally)
    idle = idle + strays
    for i = 1, #found do
      local r = found[i]
      local item, blocked = handout.issue(r, wanted, count, now)
      if item then
        count = count + 1
        ids[count], items[count] = r.id, item
        if ln then
          ln.handed = ln.handed + 1
          if ln.is.rate or ln.is.key_rate then
            handouts.spend(ln, r.f.lk, now)
          end
        end
        local head = r.head
        if head.turn and not head.last then
          turns.took(partition, ask.lane, head.ring.key, head.turn, ln and ln.f.wt)
        end
        bytes = bytes + (item[5] and #item[5] + #item[6] or 0)
      else
        idle = idle + 1
        if not blocked then
          -- Its end may have changed the others.
          break
        end
      end
      if bytes >= BYTES_MAX then
        return { ids = ids, items = items, cut_off = true }
      end
    end
    if idle >= EXPIRED_MAX or (ask.reads and ask.reads > READS_MAX and count > 0) then
      return { ids = ids, items = items, cut_off = true }
    end
  end
  return { ids = ids, items = items, cut_off = ask.more }
end

--- Takes up to `most` of what `ask` wants, and what its lane allows, best first. The answer has the items, their
--- ids, and whether it stopped early because too much had expired, was astray, was read or was carried.
function claims.take(partition, ask, wanted, most, now)
  local ln = ask.ln
  local tally = ln or (most > 1 and { l = 0, t = 0 }) or nil
  if ln then
    local room = lanes.room(ln, now)
    most = most < room and most or room
  end
  local taken = take(partition, ask, wanted, most, tally, now)
  if tally then
    leases.flush(partition, ask.lane, tally, ln)
  end
  if ln then
    handouts.finish(ln, now)
    lanes.save(ln, now)
  end
  return taken
end

--- What is still good of the leases and tokens of an earlier call.
function claims.repeated(partition, request, ids, now)
  local items = {}
  for index, id in ipairs(ids) do
    local r = record.load(partition, id)
    local derived = answers.derived(request, index - 1)
    if r and r.f.li == derived and tonumber(r.f.lx) > now then
      if r.f.en ~= "c" then
        items[#items + 1] = handout.task(r, index - 1)
      end
    elseif r and r.f.gi == derived and tonumber(r.f.gx) > now then
      items[#items + 1] = { "token", index - 1, id }
    end
  end
  return items
end

return claims
