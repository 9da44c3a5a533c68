#!/usr/bin/env bats
# names.bats - containers on a network of the user's find each other by name.

load lib

teardown() {
  if [ -n "${SERVER:-}" ]; then kill "$SERVER"; fi
  behaviour_teardown
}

# A name server on the host's loopback, at 127.9.9.53: the answer to every question is 192.0.2.7.
start_name_server() {
  python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.9.9.53", 53))
print("ready", flush=True)
while True:
    q, asker = s.recvfrom(512)
    end = q.index(b"\0", 12) + 5
    a = q[end - 4:end - 2] == b"\0\1"
    s.sendto(q[:2] + b"\x81\x80\0\1" + (b"\0\1" if a else b"\0\0") + b"\0\0\0\0" + q[12:end]
             + (b"\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4\xc0\0\2\7" if a else b""), asker)
' >"$HOME_OF_TEST/server" 3>&- &
  SERVER=$!
  retry 10 test -s "$HOME_OF_TEST/server"
}

address_on_app() { cutaway inspect -f '{{.NetworkSettings.Networks.app.IPAddress}}' "$1"; }

@test "by name, by alias, by short id and with the network's name behind it" {
  cutaway network create app
  id=$(cutaway run -d --name web --network app --network-alias www busybox sleep 100)
  address=$(address_on_app web)
  for name in web WEB www "${id:0:12}" web.app www.app; do
    run -0 cutaway run --rm --network app busybox nslookup "$name" 127.0.0.11
    assert_line --regexp "^Address.*[: ]$address$"
  done
  run -0 cutaway run --rm --network app busybox ping -c 1 -W 5 www
  run -0 cutaway run --rm --network app busybox nslookup "$address" 127.0.0.11
  assert_output --partial "web.app"
}

@test "resolv.conf names the resolver, and --dns-search stays" {
  cutaway network create app
  run -0 cutaway run --rm --network app --dns-search example.test busybox cat /etc/resolv.conf
  assert_line "nameserver 127.0.0.11"
  assert_line "search example.test"
  assert_line "options ndots:0"
  refute_line --regexp '^nameserver 8'
  run -0 cutaway run --rm busybox cat /etc/resolv.conf
  refute_line "nameserver 127.0.0.11"
}

@test "two containers share an alias" {
  cutaway network create app
  cutaway run -d --name one --network app --network-alias both busybox sleep 100
  cutaway run -d --name two --network app --network-alias both busybox sleep 100
  run -0 cutaway run --rm --network app busybox nslookup both 127.0.0.11
  assert_output --regexp "[: ]$(address_on_app one)"
  assert_output --regexp "[: ]$(address_on_app two)"
}

@test "who leaves, ends or is renamed is not found under the old name" {
  cutaway network create app
  cutaway run -d --name web --network app busybox sleep 100
  cutaway run -d --name asker --network app busybox sleep 100
  run -0 cutaway exec asker nslookup web 127.0.0.11
  cutaway rename web shop
  run -0 cutaway exec asker nslookup shop 127.0.0.11
  run cutaway exec asker nslookup web 127.0.0.11
  assert [ "$status" -ne 0 ]
  cutaway network disconnect app shop
  run cutaway exec asker nslookup shop 127.0.0.11
  assert [ "$status" -ne 0 ]
  cutaway network connect --alias again app shop
  run -0 cutaway exec asker nslookup again 127.0.0.11
  cutaway stop -t 0 shop
  run cutaway exec asker nslookup again 127.0.0.11
  assert [ "$status" -ne 0 ]
}

@test "a container that joins such a network while it runs can ask there" {
  cutaway network create app
  cutaway run -d --name web --network app busybox sleep 100
  cutaway run -d --name late busybox sleep 100
  cutaway network connect app late
  run -0 cutaway exec late ping -c 1 -W 5 web
  run -0 cutaway exec late cat /etc/resolv.conf
  assert_line "nameserver 127.0.0.11"
}

@test "one network's names are not known on another, and aliases need a network of one's own" {
  cutaway network create app
  cutaway network create other
  cutaway run -d --name web --network app busybox sleep 100
  run cutaway run --rm --network other busybox nslookup web 127.0.0.11
  assert [ "$status" -ne 0 ]
  run -125 cutaway run --rm --network-alias x busybox true
  assert_output --partial "network-scoped alias is supported only for containers in user defined networks"
}

@test "a container may have a name server of its own on port 53" {
  cutaway network create app
  cutaway run -d --name web --network app busybox sleep 100
  cutaway run -d --name server --network app busybox nc -l -p 53 -e /bin/true
  retry 10 cutaway exec server sh -c 'grep -q ":0035 .* 0A" /proc/net/tcp /proc/net/tcp6'
  run -0 cutaway exec server nslookup web 127.0.0.11
}

@test "a killed monitor's successor answers for it" {
  cutaway network create app
  cutaway run -d --name web --network app busybox sleep 100
  cutaway run -d --name asker --network app busybox sleep 100
  kill_monitor asker
  retry 10 cutaway exec asker nslookup web 127.0.0.11
}

@test "what is not a container's is asked elsewhere, and never from an internal network" {
  cutaway network create app
  cutaway network create --internal inside
  start_name_server
  run -0 cutaway run --rm --network app --dns 127.9.9.53 busybox nslookup elsewhere.test 127.0.0.11
  assert_output --partial 192.0.2.7
  run cutaway run --rm --network inside --dns 127.9.9.53 busybox nslookup elsewhere.test 127.0.0.11
  assert [ "$status" -ne 0 ]
  refute_output --partial 192.0.2.7
}
