//! Areas, territories, units and staff.

/// Customers of one client manager.
const CUSTOMERS_PER_TERRITORY: u32 = 50;
const TERRITORIES_PER_AREA: u32 = 5;

/// The unit that takes telephone calls around the clock.
pub(crate) const CALL_CENTRE: &str = "U-CC";

/// Central units: id, kind, opening and closing time.
pub(crate) fn central_units() -> [(&'static str, &'static str, &'static str, &'static str); 7] {
    [
        (CALL_CENTRE, "CALL_CENTRE", "00:00", "24:00"),
        ("U-RES", "RESOURCE_CENTRE", "08:00", "17:30"),
        ("U-ORD", "ORDER_SECTION", "08:00", "17:30"),
        ("U-PROC", "PROCUREMENT_SECTION", "08:00", "17:30"),
        ("U-MKT", "MARKET_SECTION", "08:00", "17:30"),
        ("U-LOG", "LOGISTICS", "06:00", "18:00"),
        ("U-KA", "KEY_ACCOUNT_DEPT", "08:00", "17:30"),
    ]
}

/// An area market department with its customer-service unit.
pub(crate) struct Area {
    pub unit_id: String,
    pub service_unit_id: String,
    pub region_code: String,
    pub market_manager_id: String,
    pub key_account_specialist_id: String,
}

/// The territory of one client manager.
pub(crate) struct Territory {
    pub territory_id: String,
    pub client_manager_id: String,
    /// Index into [`Organisation::areas`].
    pub area: u32,
}

/// Areas, territories and staff.
pub(crate) struct Organisation {
    pub areas: Vec<Area>,
    pub territories: Vec<Territory>,
    /// Agents of the call centre.
    pub agents: Vec<String>,
}

impl Organisation {
    pub(super) fn of(customers: u32) -> Self {
        let territories = customers.div_ceil(CUSTOMERS_PER_TERRITORY);
        let areas = territories.div_ceil(TERRITORIES_PER_AREA);
        Self {
            areas: (1..=areas)
                .map(|number| Area {
                    unit_id: format!("U-AREA-{number:02}"),
                    service_unit_id: format!("U-CS-{number:02}"),
                    region_code: format!("{:06}", 530_100 + number),
                    market_manager_id: format!("ST-MM-{number:03}"),
                    key_account_specialist_id: format!("ST-KA-{number:03}"),
                })
                .collect(),
            territories: (0..territories)
                .map(|index| Territory {
                    territory_id: format!("T{:04}", index + 1),
                    client_manager_id: format!("ST-CM-{:04}", index + 1),
                    area: index / TERRITORIES_PER_AREA,
                })
                .collect(),
            agents: (1..=areas.max(3))
                .map(|number| format!("ST-AG-{number:03}"))
                .collect(),
        }
    }

    /// Territory of a customer, by index.
    pub(super) fn territory_of(&self, customer: u32) -> u32 {
        (customer / CUSTOMERS_PER_TERRITORY).min(self.territories.len() as u32 - 1)
    }
}
