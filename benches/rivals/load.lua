-- Posts the lines of a file repeatedly, in order, and prints the measurements as one line of JSON.

local requests, last = {}, 0

function init(arguments)
  -- wrk.format would not keep this order of headers, and one of the servers includes headers in its cache key.
  local head = "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
  for body in io.lines(arguments[1]) do
    requests[#requests + 1] = head:format(wrk.path, wrk.headers["Host"], #body, body)
  end
end

function request()
  last = last % #requests + 1
  return requests[last]
end

function done(summary, latency)
  local percentiles = {}
  for _, percentile in ipairs({ 1, 10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 93, 95, 97, 98, 99, 99.5, 99.7, 99.8, 99.9 }) do
    percentiles[#percentiles + 1] = string.format("[%g,%d]", percentile, latency:percentile(percentile))
  end
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"microseconds":%d,"errors":%d,"latency":[%s]}\n',
    summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    table.concat(percentiles, ",")))
end
