// A member of a group by franz-go: see "Members" in README.md of the directory above.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	bootstrap, group, topic, kind := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	ctx := context.Background()
	if kind == "consumer" {
		// franz-go speaks KIP-848 only to those who say that they know it is new.
		ctx = context.WithValue(ctx, "opt_in_kafka_next_gen_balancer_beta", true)
	}
	options := []kgo.Opt{
		kgo.WithContext(ctx), kgo.SeedBrokers(bootstrap), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(), kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.SessionTimeout(3 * time.Second), kgo.HeartbeatInterval(300 * time.Millisecond),
	}
	if kind != "consumer" {
		options = append(options, kgo.Balancers(kgo.CooperativeStickyBalancer()))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// Only reading ends with the input; leaving the group still takes requests.
	reading, end := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		end()
	}()
	for reading.Err() == nil {
		var read [][2]int64
		client.PollFetches(reading).EachRecord(func(record *kgo.Record) {
			read = append(read, [2]int64{int64(record.Partition), record.Offset})
		})
		if len(read) > 0 {
			line, _ := json.Marshal(read)
			fmt.Println(string(line))
			if err := client.CommitUncommittedOffsets(ctx); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}
	client.Close()
}
