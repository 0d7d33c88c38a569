--- What stands at the heads of queues, taken in hand.
local execution = require("execution")
local queue = require("queue")

local entries = {}

--- Opens what stands at the heads. An entry whose record is not there, or belongs elsewhere, is a
--- stray, and taken out; how many those were is the second value.
function entries.open(partition, best, followed, looked, tally)
  local found, strays = {}, nil
  for i = 1, #best do
    local head = best[i]
    local r = execution.open(partition, head.id)
    if r and r.queue == head.queue then
      r.followed, r.looked, r.head, r.tally = followed, looked, head, tally
      found[#found + 1] = r
    else
      strays = strays or {}
      strays[#strays + 1] = head
    end
  end
  if not strays then
    return found, 0
  end
  for _, head in ipairs(strays) do
    queue.drop_stray(head)
  end
  return found, #strays
end

return entries
