// The original's design, as it would be written in Go today: a goroutine a connection, a mutexed
// map, a read deadline, a cap on connections, a recover around each, a drain on SIGTERM.
// RESP: GET, SET, PING; enough to be measured beside the others.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	maxClients  = 10000
	idleTimeout = time.Hour
	patience    = 10 * time.Second
	maxArgs     = 1024
	maxBulk     = 512 << 20
)

var errProtocol = errors.New("protocol error")

type store struct {
	sync.Mutex
	values map[string][]byte
}

func main() {
	port := flag.Int("port", 0, "TCP port")
	flag.Parse()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("listening on", listener.Addr())
	quit := make(chan os.Signal, 1)
	signal.Notify(quit, syscall.SIGTERM, syscall.SIGINT)
	go func() { <-quit; listener.Close() }()

	kept := &store{values: make(map[string][]byte)}
	var clients int32
	var all sync.WaitGroup
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			break
		}
		if err != nil {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		if atomic.AddInt32(&clients, 1) > maxClients {
			atomic.AddInt32(&clients, -1)
			io.WriteString(conn, "-ERR max number of clients reached\r\n")
			conn.Close()
			continue
		}
		all.Add(1)
		go func() {
			defer all.Done()
			defer atomic.AddInt32(&clients, -1)
			defer conn.Close()
			defer func() { _ = recover() }()
			serve(conn, kept)
		}()
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
	}
}

func serve(conn net.Conn, kept *store) {
	in, out := bufio.NewReaderSize(conn, 16<<10), bufio.NewWriterSize(conn, 16<<10)
	var args [][]byte
	for {
		// Replies leave, and the deadline moves, once all that has arrived is answered.
		if in.Buffered() == 0 {
			if out.Flush() != nil || conn.SetReadDeadline(time.Now().Add(idleTimeout)) != nil {
				return
			}
		}
		var err error
		if args, err = request(in, args[:0]); err != nil {
			if err == errProtocol {
				out.WriteString("-ERR Protocol error\r\n")
				out.Flush()
			}
			return
		}
		answer(kept, args, out)
	}
}

func answer(kept *store, args [][]byte, out *bufio.Writer) {
	switch {
	case len(args) == 1 && string(args[0]) == "PING":
		out.WriteString("+PONG\r\n")
	case len(args) == 2 && string(args[0]) == "GET":
		kept.Lock()
		value, found := kept.values[string(args[1])]
		kept.Unlock()
		if !found {
			out.WriteString("$-1\r\n")
			return
		}
		out.WriteByte('$')
		out.Write(strconv.AppendInt(out.AvailableBuffer(), int64(len(value)), 10))
		out.WriteString("\r\n")
		out.Write(value)
		out.WriteString("\r\n")
	case len(args) == 3 && string(args[0]) == "SET":
		value := append([]byte(nil), args[2]...)
		kept.Lock()
		kept.values[string(args[1])] = value
		kept.Unlock()
		out.WriteString("+OK\r\n")
	default:
		out.WriteString("-ERR unknown command\r\n")
	}
}

// request reads one request; the arguments' memory is used again for the next.
func request(in *bufio.Reader, args [][]byte) ([][]byte, error) {
	count, err := header(in, '*')
	if err != nil || count > maxArgs {
		return nil, orProtocol(err)
	}
	for i := 0; i < count; i++ {
		size, err := header(in, '$')
		if err != nil || size > maxBulk {
			return nil, orProtocol(err)
		}
		var arg []byte
		if i < cap(args) {
			arg = args[:i+1][i]
		}
		if cap(arg) < size+2 {
			arg = make([]byte, size+2)
		}
		arg = arg[:size+2]
		if _, err := io.ReadFull(in, arg); err != nil {
			return nil, err
		}
		args = append(args, arg[:size])
	}
	return args, nil
}

func header(in *bufio.Reader, kind byte) (int, error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 4 || line[0] != kind {
		return 0, errProtocol
	}
	number := 0
	for _, digit := range line[1 : len(line)-2] {
		if digit < '0' || digit > '9' || number > maxBulk {
			return 0, errProtocol
		}
		number = number*10 + int(digit-'0')
	}
	return number, nil
}

func orProtocol(err error) error {
	if err == nil {
		return errProtocol
	}
	return err
}
