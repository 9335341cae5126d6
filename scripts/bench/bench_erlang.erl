%% The same workload between two Erlang nodes: plain messages to a process, as the ensemble sends them.
-module(bench_erlang).
-export([peer/0, bench/4]).

%% The far node: a process that echoes and counts.
peer() ->
    register(bench, self()),
    io:format("ready~n"),
    peer(0).

peer(Count) ->
    receive
        {echo, From, Ref, Payload} -> From ! {Ref, Payload}, peer(Count);
        {count, _Payload} -> peer(Count + 1);
        {received, From, Ref} -> From ! {Ref, Count}, peer(Count)
    end.

%% The near node: prints the median and 99th percentile of a round trip in ns, round trips a second with
%% 64 outstanding, and one-way messages a second.
bench(Node, RoundTrips, Outstanding, OneWay) ->
    pong = net_adm:ping(Node),
    Peer = {bench, Node},
    times(Peer, RoundTrips),
    Sorted = lists:sort(times(Peer, RoundTrips)),
    P50 = lists:nth(RoundTrips div 2, Sorted),
    P99 = lists:nth(RoundTrips * 99 div 100, Sorted),
    Self = self(),
    Start = erlang:monotonic_time(nanosecond),
    Each = Outstanding div 64,
    [spawn_link(fun() -> times(Peer, Each), Self ! done end) || _ <- lists:seq(1, 64)],
    [receive done -> ok end || _ <- lists:seq(1, 64)],
    Elapsed = erlang:monotonic_time(nanosecond) - Start,
    Start2 = erlang:monotonic_time(nanosecond),
    [Peer ! {count, <<"xxxxxxxxxxxxxxxx">>} || _ <- lists:seq(1, OneWay)],
    Ref = make_ref(),
    Peer ! {received, self(), Ref},
    receive {Ref, OneWay} -> ok end,
    Elapsed2 = erlang:monotonic_time(nanosecond) - Start2,
    io:format("~p ~p ~p ~p~n", [P50, P99, Each * 64 * 1.0e9 / Elapsed, OneWay * 1.0e9 / Elapsed2]).

times(Peer, N) -> [time(Peer) || _ <- lists:seq(1, N)].

time(Peer) ->
    Start = erlang:monotonic_time(nanosecond),
    Ref = make_ref(),
    Peer ! {echo, self(), Ref, <<"xxxxxxxxxxxxxxxx">>},
    receive {Ref, _} -> ok end,
    erlang:monotonic_time(nanosecond) - Start.
