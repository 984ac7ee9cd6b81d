# Clears up after migraph, however that ends; runs beside the server.
#
# $1 is the server's directory. Standard input is a pipe whose only writer is migraph.
# Each line is the process id of the running server, or empty while none runs. The end
# of the input means that migraph is gone or done: then the server and its directory go.

trap '' HUP INT QUIT TERM

directory=$1
server=
while read -r line; do
    server=$line
done

# A dead process keeps its number until its parent has asked for it. The parent is now
# process 1, which may take its time, or never do so in a container.
is_zombie() {
    read -r state 2>/dev/null <"/proc/$1/stat" || return 1
    case $state in
    *') Z '*) return 0 ;;
    *) return 1 ;;
    esac
}

server_is_gone() {
    [ -z "$server" ] || ! kill -0 "$server" 2>/dev/null || is_zombie "$server"
}

# A server that is still writing can defeat one attempt.
directory_is_gone() {
    rm -rf "$directory" 2>/dev/null
    [ ! -e "$directory" ]
}

if [ -n "$server" ]; then
    kill -s QUIT "$server" 2>/dev/null
fi

tries=0
until directory_is_gone && server_is_gone; do
    tries=$((tries + 1))
    case $tries in
    300) [ -z "$server" ] || kill -s KILL "$server" 2>/dev/null ;;
    400) exit 1 ;;
    esac
    sleep 0.02 2>/dev/null || sleep 1
done
