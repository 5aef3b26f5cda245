package session

import (
	"context"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	// campaignTick is how often the starts that are due are taken while a campaign runs,
	// campaignIdle how often it is looked up whether one does.
	campaignTick = 100 * time.Millisecond
	campaignIdle = time.Second
)

// CampaignStore is what campaigns need of PostgreSQL.
type CampaignStore interface {
	TakeStarts(ctx context.Context) (starts []store.CampaignStart, running bool, err error)
}

// Campaigns puts the starts of campaigns into the lanes of their contacts, at the rate of
// each campaign. Every replica does, and none owns a campaign: the row of a campaign is the
// bucket of its rate, so that neither a second replica nor a restart adds to it. A start has
// the id of its contact in the campaign; the inbox absorbs it if it comes twice.
type Campaigns struct {
	store  CampaignStore
	in     Publisher
	shards int
	now    func() time.Time
	log    zerolog.Logger
}

// NewCampaigns makes the campaigns of a replica.
func NewCampaigns(s CampaignStore, in Publisher, shards int, now func() time.Time, log zerolog.Logger) *Campaigns {
	return &Campaigns{store: s, in: in, shards: shards, now: now, log: log}
}

// Run starts what is due until ctx ends.
func (c *Campaigns) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		running, err := c.Start(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			c.log.Warn().Err(err).Msg("campaigns wait")
		}
		failing = err != nil
		if running {
			timer.Reset(campaignTick)
		} else {
			timer.Reset(campaignIdle)
		}
	}
}

// Start puts what is due into the lanes. What is not stored there is taken again later.
func (c *Campaigns) Start(ctx context.Context) (running bool, err error) {
	starts, running, err := c.store.TakeStarts(ctx)
	if err != nil || len(starts) == 0 {
		return running, err
	}
	messages := make([]bus.Message, len(starts))
	for i, s := range starts {
		if messages[i], err = c.message(s); err != nil {
			return running, fmt.Errorf("campaign %s, line %d: %w", s.Campaign, s.Contact.Line, err)
		}
	}
	if err := c.in.Publish(ctx, messages...); err != nil {
		return running, fmt.Errorf("campaigns: %w", err)
	}
	return running, nil
}

// message goes to where somebody new would be heard. If the person has another home, it is
// passed on there.
func (c *Campaigns) message(s store.CampaignStart) (m bus.Message, err error) {
	start := &parleyv1.StartRequest{
		Flow: s.Flow, Language: s.Contact.Language, Slots: s.Contact.Slots, Campaign: s.Campaign, Line: uint32(s.Contact.Line),
	}
	if s.Contact.Template != nil {
		start.Template = &parleyv1.Template{}
		if err := proto.Unmarshal(s.Contact.Template, start.Template); err != nil {
			return m, err
		}
	}
	raw, err := protojson.Marshal(&parleyv1.Input{Body: &parleyv1.Input_Start{Start: start}})
	if err != nil {
		return m, err
	}
	lane := s.Contact.BSUID
	if lane == "" {
		lane = s.Contact.Phone
	}
	m.Subject = bus.SubjectIn(bus.ShardOf(s.Portfolio, lane, c.shards), s.Channel, lane)
	m.Data, err = proto.Marshal(&parleyv1.Envelope{
		Id: fmt.Sprintf("campaign/%s/%d", s.Campaign, s.Contact.Line), Kind: parleyv1.Kind_KIND_OPERATOR, Provider: "parley",
		Channel: s.Channel, Portfolio: s.Portfolio, LaneKey: lane, Field: store.OperatorInput, ReceivedAtMs: c.now().UnixMilli(), Raw: raw,
		Contact: &parleyv1.Identity{Phone: s.Contact.Phone, Bsuid: s.Contact.BSUID, Name: s.Contact.Name},
	})
	return m, err
}
