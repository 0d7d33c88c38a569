--- What operators did: an execution remembers its latest eight requests that had an effect, in the
--- fields `o0`..`o7`, 16 bytes of request id and the outcome, so that a repeat gives it again.
local record = require("record")

local operator = {}

local REMEMBERED = 8
local REQUEST_ID_BYTES = 16

--- What a request with this id did, if that is remembered and of a kind that `own` names by its
--- first word: an id may have been used for requests of different verbs.
function operator.done_by(r, request, own)
  for slot = 0, REMEMBERED - 1 do
    local mark = r.f["o" .. slot]
    if mark and string.sub(mark, 1, REQUEST_ID_BYTES) == request then
      local outcome = string.sub(mark, REQUEST_ID_BYTES + 1)
      if own[string.match(outcome, "^%S+")] then
        return outcome
      end
    end
  end
  return nil
end

--- Remembers what a request did, in place of the oldest.
function operator.remember(r, request, outcome)
  local count = tonumber(r.f.on or "0")
  record.set(r, "o" .. count % REMEMBERED, request .. outcome)
  record.set_number(r, "on", count + 1)
end

return operator
