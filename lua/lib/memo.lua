--- What texts say, kept for a while: many records share a few texts, and taking one apart costs more than
--- finding it.
local memo = {}

--- Most texts of a kind that are kept; then all are forgotten.
local KEPT_MAX = 256

--- A function that answers what `read` makes of a text, which is not to be changed.
function memo.of(read)
  local kept, count = {}, 0
  return function(text)
    local found = kept[text]
    if not found then
      if count == KEPT_MAX then
        kept, count = {}, 0
      end
      found = read(text)
      kept[text], count = found, count + 1
    end
    return found
  end
end

return memo
