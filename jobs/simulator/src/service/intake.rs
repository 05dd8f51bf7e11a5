//! The first contact of a case, and the desk that takes it.

use crate::random::RandomGenerator;
use crate::world::{CALL_CENTRE, Customer, CustomerKind, World};

/// The desk that takes a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Desk {
    CallCentre,
    /// The service unit of an area (index).
    Area(u32),
}

impl Desk {
    pub(super) fn all(world: &World) -> impl Iterator<Item = Self> + use<> {
        let areas = world.organisation.areas.len() as u32;
        std::iter::once(Self::CallCentre).chain((0..areas).map(Self::Area))
    }

    /// Position in [`Desk::all`].
    pub(super) fn index(self) -> usize {
        match self {
            Self::CallCentre => 0,
            Self::Area(area) => area as usize + 1,
        }
    }

    pub(super) fn unit_id(self, world: &World) -> &str {
        match self {
            Self::CallCentre => CALL_CENTRE,
            Self::Area(area) => &world.organisation.areas[area as usize].service_unit_id,
        }
    }
}

/// The first contact of a case.
pub(super) struct Intake {
    pub kind: &'static str,
    pub channel: &'static str,
    pub category: &'static str,
    pub desk: Desk,
    /// A telephone call that nobody answered.
    pub is_abandoned: bool,
    pub is_planted: bool,
}

/// Telephone calls that nobody answers, per mille.
const ABANDONED: u32 = 25;

impl Intake {
    pub(super) fn complaint_by_phone() -> Self {
        Self {
            kind: "COMPLAINT",
            channel: "PHONE",
            category: "DELIVERY",
            desk: Desk::CallCentre,
            is_abandoned: false,
            is_planted: true,
        }
    }

    pub(super) fn draw(customer: &Customer, area: u32, random: &mut RandomGenerator) -> Self {
        let kind = match customer.kind {
            CustomerKind::EquipmentOwner => random.weighted(&[
                (40, "REPAIR"),
                (25, "RESCUE"),
                (15, "COMPLAINT"),
                (20, "ENQUIRY"),
            ]),
            _ => random.weighted(&[
                (42, "ENQUIRY"),
                (30, "COMPLAINT"),
                (8, "ORDERING_FAULT"),
                (6, "SUGGESTION"),
                (4, "INFO_CHANGE"),
                (3, "PRAISE"),
                (3, "RESCUE"),
                (4, "REPAIR"),
            ]),
        };
        let channel = random.weighted(&[
            (60, "PHONE"),
            (15, "PLATFORM"),
            (10, "IM_DIRECT"),
            (6, "VISIT"),
            (6, "COUNTER"),
            (3, "EMAIL"),
        ]);
        Self {
            kind,
            channel,
            category: Self::category(kind, random),
            desk: if channel == "PHONE" {
                Desk::CallCentre
            } else {
                Desk::Area(area)
            },
            is_abandoned: channel == "PHONE" && random.permille(ABANDONED),
            is_planted: false,
        }
    }

    fn category(kind: &str, random: &mut RandomGenerator) -> &'static str {
        match kind {
            "REPAIR" | "RESCUE" => "REPAIR",
            "ORDERING_FAULT" => "ORDER",
            "ENQUIRY" => random.pick(&[
                "PRICE",
                "POLICY_LAW",
                "OPERATION_HELP",
                "PROMOTION",
                "ORDER",
            ]),
            _ => random.weighted(&[
                (30, "ALLOCATION_SUPPLY"),
                (20, "DELIVERY"),
                (12, "SETTLEMENT"),
                (10, "PRICE"),
                (10, "PRODUCT_QUALITY"),
                (8, "STAFF_CONDUCT"),
                (5, "RETURN_EXCHANGE"),
                (3, "OTHER_CUSTOMER"),
                (2, "OTHER"),
            ]),
        }
    }
}
