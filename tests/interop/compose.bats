# docker-compose 1.29 and the Python SDK in front of the daemon of stage 02.
# Room: tests/interop. Run by: tools/test interop.

load ../behaviour/lib

setup() {
  export STAGE=02
  behaviour_setup
  export DOCKER_HOST=unix://$RUN/cutaway.sock DOCKER_CONFIG=$HOME_OF_TEST/docker
}

compose() { docker-compose --ansi never -p shop --project-directory "$HOME_OF_TEST" -f "$HOME_OF_TEST/compose.yml" "$@" 3>&-; }

@test "docker-compose brings three services up, scales one, and takes all down" {
  cat >"$HOME_OF_TEST/compose.yml" <<'END'
version: "3"
services:
  web:
    image: busybox
    command: sh -c 'echo hello >/tmp/index.html; exec httpd -f -h /tmp'
    ports: ["80"]
    depends_on: [db]
    healthcheck: {test: [CMD, wget, -qO-, "http://localhost/"], interval: 1s}
  db:
    image: busybox
    command: sh -c 'echo $$NAME >/data/name; exec sleep 1000'
    environment: {NAME: pear}
    volumes: ["data:/data"]
  worker:
    image: busybox
    command: sh -c 'until wget -qO- http://web/; do sleep 0.2; done; exec sleep 1000'
volumes:
  data:
END
  run -0 compose up -d
  run -0 compose ps --services --filter status=running
  assert_equal "$(sort <<<"$output")" $'db\nweb\nworker'
  # By name, over the project's own network, and from outside through the published port.
  retry 20 bash -c 'docker-compose --ansi never -p shop -f "$0" logs worker | grep -q hello' "$HOME_OF_TEST/compose.yml"
  run -0 curl -s --max-time 10 "http://$(compose port web 80)/"
  assert_output hello
  run -0 compose exec -T db cat /data/name
  assert_output pear
  retry 20 bash -c '[ "$(docker inspect -f "{{.State.Health.Status}}" shop_web_1)" = healthy ]'

  run -0 compose up -d --scale worker=3
  run -0 compose ps -q worker
  assert_equal "${#lines[@]}" 3
  run -0 compose exec -T web nslookup worker 127.0.0.11
  assert_equal "$(grep -c '^Name:.*worker' <<<"$output")" 3
  run -0 compose up -d --scale worker=1
  run -0 compose ps -q worker
  assert_equal "${#lines[@]}" 1

  # A changed service is made anew, the others stay.
  db=$(compose ps -q db)
  sed -i 's/hello/goodbye/' "$HOME_OF_TEST/compose.yml"
  run -0 compose up -d
  assert_equal "$(compose ps -q db)" "$db"
  retry 20 bash -c '[ "$(curl -s "http://$(docker port shop_web_1 80)/")" = goodbye ]'

  run -0 compose down -v -t 1
  run -0 cutaway ps -aq
  assert_output ""
  run -0 cutaway volume ls -q
  assert_output ""
  run -0 cutaway network ls --filter type=custom -q
  assert_output ""
}

@test "docker-compose run gives the program's output and exit code" {
  printf 'version: "3"\nservices:\n  job: {image: busybox, command: "true"}\n' >"$HOME_OF_TEST/compose.yml"
  run -3 --separate-stderr compose run --rm -T job sh -c 'echo out; exit 3'
  assert_output "out"
  run -0 compose down
}

@test "the Python SDK goes through containers, images, networks and volumes" {
  run /usr/bin/python3 "$BATS_TEST_DIRNAME/python_sdk.py"
  assert_line "all of it"
}
